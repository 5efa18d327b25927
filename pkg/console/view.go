package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/meter"
)

//go:embed templates
var templateFiles embed.FS

// view is what templates get.
type view struct {
	Title     string
	Theme     string // "dark" or "light"; "": the system's
	CSRF      string
	Account   *control.Account
	Resource  *control.Resource   // nil: the page is not one of a resource
	Resources []*control.Resource // the account's, for pages of a resource
	Nav       []navGroup
	Toast     *toast
	Moves     bool // see page
	Data      any  // of the page
}

func (r *request) newView(title string, data any) (*view, error) {
	v := &view{Title: title, CSRF: csrfToken(r.secret), Account: r.account, Resource: r.resource, Toast: r.toast, Data: data}
	if theme := r.cookie(themeCookie); theme == "dark" || theme == "light" {
		v.Theme = theme
	}
	return v, nil
}

// parseViews parses the layout, the components and each page's file, by its name without suffix.
func (h *Handler) parseViews() (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(h.functions()).ParseFS(templateFiles, "templates/layout.html", "templates/components/*.html")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	views := map[string]*template.Template{}
	for _, file := range files {
		t, err := shared.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, file)
		}
		if err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
		views[strings.TrimSuffix(path.Base(file), ".html")] = t
	}
	return views, nil
}

// execute answers with a template. An error in it leaves the answer open.
func (r *request) execute(status int, name, entry string, v *view) error {
	t := r.h.views[name]
	if t == nil {
		return fmt.Errorf("there is no view %s", name)
	}
	var body bytes.Buffer
	if err := t.ExecuteTemplate(&body, entry, v); err != nil {
		return fmt.Errorf("view %s: %w", name, err)
	}
	r.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// Other sites cannot find out secrets of a page by the length it is compressed to: SameSite
	// keeps their requests from being the account's.
	edge.Send(r.w, r.Request, status, body.Bytes())
	return nil
}

// functions are what templates may call. They are all that templates call: not methods, which would have to stay in the
// program by their names, and with them those of every type in it. In a program that links whole clients of AWS that is
// a fifth of its size, see scripts/release.
func (h *Handler) functions() template.FuncMap {
	return template.FuncMap{
		"about":     h.about,
		"asset":     h.assets.url,
		"icon":      h.icon,
		"field":     newField,
		"args":      arguments,
		"options":   newOptions,
		"toast":     func(text, tone string) toast { return toast{Text: text, Tone: tone} },
		"count":     formatCount,
		"lagnote":   lagNote,
		"bytes":     formatBytes,
		"dollars":   formatDollars,
		"latency":   formatLatency,
		"units":     formatUnits,
		"quantity":  formatQuantity,
		"product":   productName,
		"time":      func(t time.Time) template.HTML { return timeElement(t, "minutes") },
		"seconds":   func(t time.Time) template.HTML { return timeElement(t, "seconds") },
		"level":     levelTone,
		"limits":    limitText,
		"stored":    formatStorage,
		"measured":  func(s meter.Storage) string { return measured(h.now(), s) },
		"own":       meter.Usage.Own,
		"hitrate":   formatHitRate,
		"persecond": perSecond,
		"never":     time.Time.IsZero,
		"month":     func(t time.Time) string { return t.Format("January 2006") },
		"p50":       meter.Usage.P50,
		"p99":       meter.Usage.P99,
		"quantile":  meter.Sketch.Quantile,
		"unread":    kafka.GroupLag.Unread,
		"behind":    kafka.PartitionLag.Unread,
		"blank":     chart.Empty,
		"points":    chart.JSON,
		"summary":   chart.Summary,
		"rows":      chart.Rows,
		"ago":       func(t time.Time) string { return ago(h.now(), t) },
	}
}

// icon is a symbol of icons.svg, 16 pixels large or as large as said. It has no words: what it
// stands for must be said beside it.
func (h *Handler) icon(name string, size ...int) (template.HTML, error) {
	url, err := h.assets.url("icons.svg")
	if err != nil {
		return "", err
	}
	class := "icon"
	if len(size) > 0 && size[0] != 16 {
		class += " icon-" + strconv.Itoa(size[0])
	}
	return template.HTML(`<svg class="` + class + `" aria-hidden="true"><use href="` + url + "#" + template.HTMLEscapeString(name) + `"></use></svg>`), nil // #nosec G203 -- class and url are our own
}

// arguments makes a map of pairs, for templates that take several values.
func arguments(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("args: a name without a value")
	}
	m := map[string]any{"text": "", "tone": "", "href": "", "url": "", "note": "", "unit": "", "target": "", "label": "", "figure": ""}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("args: %v is no name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// timeElement shows a time in UTC, to the minute or with seconds, which scripts turn into the
// browser's own.
func timeElement(t time.Time, precision string) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	layout := "2 Jan 2006, 15:04"
	if precision == "seconds" {
		layout += ":05"
	}
	return template.HTML(`<time data-local="` + precision + `" datetime="` + t.Format(time.RFC3339) + `">` + t.Format(layout) + ` UTC</time>`) // #nosec G203 -- it has numbers alone
}

func productName(p control.Product) string {
	switch p {
	case control.Redis:
		return "Redis"
	case control.Kafka:
		return "Kafka"
	}
	return "QStash"
}

// levelTone is the tone of a notice about limits.
func levelTone(l meter.Level) string {
	if l == meter.LevelBlocked {
		return "bad"
	}
	return "warn"
}

// formatStorage writes how much is stored; "–" if it has not been counted yet.
func formatStorage(s meter.Storage) string {
	if s.At.IsZero() {
		return "–"
	}
	return formatBytes(s.Bytes)
}

// measured says how old a measurement of storage is.
func measured(now time.Time, s meter.Storage) string {
	if s.At.IsZero() {
		return "not measured yet"
	}
	return "measured " + ago(now, s.At)
}

// formatHitRate writes the share of keys that were found; "–" if none was asked for.
func formatHitRate(c meter.Counters) string {
	rate := hitRate(c)
	if rate == nil {
		return "–"
	}
	return unitPercent.format(*rate)
}

// hitRate is the share of keys that were found, in percent; nil: none was asked for.
func hitRate(c meter.Counters) *float64 {
	if c.Hits+c.Misses == 0 {
		return nil
	}
	return known(100 * float64(c.Hits) / float64(c.Hits+c.Misses))
}

// limitText says what a status means to the owner of a resource; its own text is for clients.
func limitText(s meter.Status) string {
	limit, amounts := "daily request limit", formatCount(int64(s.Used))+" of "+formatCount(int64(s.Of))
	if s.Limit == meter.LimitBudget {
		limit, amounts = "monthly budget", formatDollars(s.Used)+" of "+formatDollars(s.Of)
	}
	if s.Level == meter.LevelBlocked {
		return fmt.Sprintf("The %s is used up (%s). Requests are refused until %s UTC.", limit, amounts, s.Until.UTC().Format("2 January, 15:04"))
	}
	return fmt.Sprintf("%.0f %% of the %s is used (%s).", 100*s.Used/s.Of, limit, amounts)
}
