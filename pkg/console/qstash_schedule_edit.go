package console

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/cron"
)

// scheduleEdit is what the form of a schedule that is being changed has besides.
type scheduleEdit struct {
	ID, Back    string
	Seen        string // stands for the settings that were shown
	Format      string // of the body
	BodyHelp    string
	HeadersHelp string
	BodyHidden  bool        // an empty body means that it stays
	Kept        [][2]string // settings that the form does not show
}

const headerContentType = "Content-Type"

// hiddenHeader reports whether a header is redacted.
func hiddenHeader(o *qstash.Options, name string) bool {
	return o.Redact != nil && (o.Redact.Headers || slices.Contains(o.Redact.Header, name))
}

// scheduleForm is the form with a schedule's settings.
func (r *request) scheduleForm(s *qstash.ScheduleRequest) (*deliveryForm, error) {
	o := &s.Options
	seen, err := settingsDigest(s)
	if err != nil {
		return nil, err
	}
	e := &scheduleEdit{ID: s.ID, Back: r.path("schedules", s.ID), Seen: seen, Format: formatText}
	f := &deliveryForm{Destination: s.Destination, Method: o.Method, Queue: o.Queue, Cron: s.Cron, Missed: string(cmp.Or(s.Missed, qstash.MissedSkip)), Edit: e}
	if f.Method == "" {
		f.Method = http.MethodPost
	}
	if zone, ok := strings.CutPrefix(s.Cron, "CRON_TZ="); ok {
		if zone, rest, ok := strings.Cut(zone, " "); ok {
			f.Zone, f.Cron = zone, strings.TrimSpace(rest)
		}
	}
	if o.Delay > 0 {
		f.Delay = strconv.FormatInt(int64(o.Delay/time.Second), 10) + "s"
	}
	if o.Retries != nil {
		f.Retries = strconv.Itoa(*o.Retries)
	}
	switch {
	case o.Redact != nil && o.Redact.Body && len(s.Body) > 0:
		e.BodyHidden, e.BodyHelp = true, "The body is redacted. It stays as it is unless another one is entered."
	case len(s.Body) > maxText:
		e.BodyHidden, e.BodyHelp = true, "The body ("+formatBytes(int64(len(s.Body)))+") is too large to be edited here. It stays as it is unless another one is entered."
	default:
		f.Body, e.Format = editable(string(s.Body))
		if e.Format == formatEscaped {
			e.BodyHelp = `Bytes that are no text are written as \n, \r or \xHH, and a backslash as \\.`
		}
	}
	var lines []string
	hidden := 0
	for _, name := range sortedKeys(o.Header) {
		switch {
		case hiddenHeader(o, name):
			hidden++
		case name == headerContentType:
			f.ContentType = o.Header.Get(name)
		default:
			for _, v := range o.Header[name] {
				lines = append(lines, name+": "+v)
			}
		}
	}
	f.Headers = strings.Join(lines, "\n")
	if hidden > 0 {
		e.HeadersHelp = fmt.Sprintf("One on a line, as Name: value. Redacted ones (%d) are not shown, and stay unless they are entered.", hidden)
	}
	e.Kept = keptSettings(o)
	f.Runs = runsOf(s.Cron, r.h.now())
	return f, f.suggest(r)
}

// keptSettings are settings that a form of a schedule does not show, in words.
func keptSettings(o *qstash.Options) [][2]string {
	var list [][2]string
	add := func(name, value string) {
		if value != "" {
			list = append(list, [2]string{name, line(value)})
		}
	}
	if o.Callback != nil {
		add("Callback", o.Callback.URL)
	}
	if o.FailureCallback != nil {
		add("Failure callback", o.FailureCallback.URL)
	}
	if o.Flow != nil {
		add("Flow control", o.Flow.Key)
	}
	if o.Timeout > 0 {
		add("Timeout", o.Timeout.String())
	}
	add("Retry delay", o.RetryDelay)
	add("Labels", strings.Join(o.Labels, ", "))
	return list
}

// settingsDigest stands for all settings of a schedule.
func settingsDigest(s *qstash.ScheduleRequest) (string, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("schedule %s: %w", s.ID, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func (r *request) scheduleSettings() (*qstash.ScheduleRequest, error) {
	s, err := r.h.qstash.ScheduleSettings(r.Context(), r.resource.ID, r.PathValue("schedule"))
	if err = qstashError(err); err != nil {
		if refused(err) != nil {
			return nil, notFound("schedule")
		}
		return nil, err
	}
	return &s, nil
}

func showScheduleForm(r *request) error {
	s, err := r.scheduleSettings()
	if err != nil {
		return err
	}
	f, err := r.scheduleForm(s)
	if err != nil {
		return err
	}
	return r.render(f)
}

var errScheduleChanged = errors.New("the schedule is not the one that was shown")

func changeSchedule(r *request) error {
	s, err := r.scheduleSettings()
	if err != nil {
		return err
	}
	shown, err := r.scheduleForm(s)
	if err != nil {
		return err
	}
	f := &deliveryForm{}
	req := f.read(r)
	text := expression(f.Cron, f.Zone)
	if _, err := cron.Parse(text); err != nil {
		f.Errors["cron"] = sentence(err.Error())
	}
	status := http.StatusUnprocessableEntity
	if len(f.Errors) == 0 {
		err := r.h.qstash.ChangeSchedule(r.Context(), r.resource.ID, s.ID, func(s *qstash.ScheduleRequest) error {
			if seen, err := settingsDigest(s); err != nil || seen != r.form("seen") {
				return errors.Join(errScheduleChanged, err)
			}
			f.apply(s, shown, &req, text)
			return nil
		})
		if err == nil {
			return r.redirect(r.path("schedules", s.ID), "Saved.")
		}
		ref := refused(qstashError(err))
		switch {
		case errors.Is(err, errScheduleChanged):
			status, f.Errors[""] = http.StatusConflict, "It was changed by somebody else meanwhile, so nothing was saved. Saving again overwrites that."
		case ref == nil:
			return err
		case ref.Status == http.StatusNotFound:
			return notFound("schedule")
		default:
			f.Errors[""] = ref.Text
		}
	}
	f.Body = strings.ReplaceAll(r.PostForm.Get("body"), "\r\n", "\n")
	f.Edit, f.Runs = shown.Edit, runsOf(text, r.h.now())
	f.Edit.Format = r.form("format")
	if status != http.StatusConflict {
		f.Edit.Seen = r.form("seen")
	}
	if err := f.suggest(r); err != nil {
		return err
	}
	return r.renderStatus(status, f)
}

// apply changes the settings of a schedule whose fields are not as they were shown. req is what was read from the form.
func (f *deliveryForm) apply(s *qstash.ScheduleRequest, shown *deliveryForm, req *qstash.Request, cron string) {
	o := &s.Options
	s.Destination = f.Destination
	if f.Cron != shown.Cron || f.Zone != shown.Zone {
		s.Cron = cron
	}
	if f.Missed != shown.Missed {
		s.Missed = qstash.Missed(f.Missed)
	}
	if f.Method != shown.Method {
		o.Method = f.Method
	}
	if f.Queue != shown.Queue {
		o.Queue = f.Queue
	}
	if f.Delay != shown.Delay {
		o.Delay = req.Options.Delay
	}
	if f.Retries != shown.Retries {
		o.Retries = req.Options.Retries
	}
	if !(shown.Edit.BodyHidden && len(req.Body) == 0) && !bytes.Equal(s.Body, req.Body) {
		s.Body = req.Body
	}
	if f.ContentType == shown.ContentType && strings.ReplaceAll(f.Headers, "\r\n", "\n") == shown.Headers {
		return
	}
	header := qstash.Header{}
	for name, values := range o.Header {
		if hiddenHeader(o, name) {
			header[name] = values
		}
	}
	maps.Copy(header, req.Options.Header)
	o.Header = header
}
