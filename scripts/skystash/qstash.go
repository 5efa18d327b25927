package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// qstashAPI is a QStash account that is reached by its API.
type qstashAPI struct{ *apiClient }

// read calls each for all that an account has, queues and URL groups before the schedules that name them.
func (q *qstashAPI) read(ctx context.Context, each func(exportLine) error) error {
	for _, list := range []struct{ kind, path string }{{"queue", "/v2/queues"}, {"urlGroup", "/v2/topics"}, {"schedule", "/v2/schedules"}} {
		text, err := q.call(ctx, http.MethodGet, list.path, nil, nil)
		if err != nil {
			return err
		}
		var values []json.RawMessage
		if err := json.Unmarshal(text, &values); err != nil {
			return fmt.Errorf("%s: %w", list.path, err)
		}
		for _, v := range values {
			if err := each(exportLine{list.kind, v}); err != nil {
				return err
			}
		}
	}
	for cursor := ""; ; {
		text, err := q.call(ctx, http.MethodGet, "/v2/dlq?cursor="+url.QueryEscape(cursor), nil, nil)
		if err != nil {
			return err
		}
		var page struct {
			Cursor   string            `json:"cursor"`
			Messages []json.RawMessage `json:"messages"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return fmt.Errorf("/v2/dlq: %w", err)
		}
		for _, v := range page.Messages {
			if err := each(exportLine{"dlq", v}); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == "" {
			return nil
		}
	}
}

// settings are those of a schedule or a message, as far as the API shows them.
type settings struct {
	ScheduleID      string              `json:"scheduleId"`
	Cron            string              `json:"cron"`
	Destination     string              `json:"destination"`
	URL             string              `json:"url"` // of a message
	Method          string              `json:"method"`
	Header          map[string][]string `json:"header"`
	Body            string              `json:"body"`
	BodyBase64      []byte              `json:"bodyBase64"`
	Retries         *int                `json:"retries"`
	MaxRetries      *int                `json:"maxRetries"` // of a message
	RetryDelay      string              `json:"retryDelayExpression"`
	Delay           int64               `json:"delay"`   // seconds
	Timeout         int64               `json:"timeout"` // ms
	Callback        string              `json:"callback"`
	FailureCallback string              `json:"failureCallback"`
	Paused          bool                `json:"isPaused"`
	Queue           string              `json:"queueName"`
	FlowKey         string              `json:"flowControlKey"`
	Parallelism     int                 `json:"parallelism"`
	Rate            int                 `json:"rate"`
	Period          int64               `json:"period"` // seconds
	Label           string              `json:"label"`
}

// headers say the settings as a request that publishes does.
func (s *settings) headers() http.Header {
	h := http.Header{}
	set := func(name, value string, there bool) {
		if there {
			h.Set("Upstash-"+name, value)
		}
	}
	for name, values := range s.Header {
		h["Upstash-Forward-"+http.CanonicalHeaderKey(name)] = values
		if strings.EqualFold(name, "Content-Type") && len(values) > 0 {
			h.Set("Content-Type", values[0])
			h.Del("Upstash-Forward-Content-Type")
		}
	}
	set("Cron", s.Cron, s.Cron != "")
	set("Schedule-Id", s.ScheduleID, s.Cron != "")
	set("Method", s.Method, s.Method != "")
	if s.Retries == nil {
		s.Retries = s.MaxRetries
	}
	if s.Retries != nil {
		set("Retries", strconv.Itoa(*s.Retries), true)
	}
	set("Retry-Delay", s.RetryDelay, s.RetryDelay != "")
	set("Delay", strconv.FormatInt(s.Delay, 10)+"s", s.Delay > 0 && s.Cron != "")
	set("Timeout", strconv.FormatInt((s.Timeout+999)/1000, 10)+"s", s.Timeout > 0)
	set("Callback", s.Callback, s.Callback != "")
	set("Failure-Callback", s.FailureCallback, s.FailureCallback != "")
	set("Queue-Name", s.Queue, s.Queue != "" && s.Cron != "")
	set("Label", s.Label, s.Label != "")
	var flow []string
	for _, part := range []struct {
		name string
		n    int64
	}{{"parallelism", int64(s.Parallelism)}, {"rate", int64(s.Rate)}, {"period", s.Period}} {
		if part.n > 0 {
			flow = append(flow, part.name+"="+strconv.FormatInt(part.n, 10))
		}
	}
	set("Flow-Control-Key", s.FlowKey, s.FlowKey != "" && len(flow) > 0)
	set("Flow-Control-Value", strings.Join(flow, ", "), s.FlowKey != "" && len(flow) > 0)
	return h
}

func (s *settings) body() []byte {
	if len(s.BodyBase64) > 0 {
		return s.BodyBase64
	}
	return []byte(s.Body)
}

// write brings one thing into an account. It can be repeated, but for messages.
func (q *qstashAPI) write(ctx context.Context, line exportLine) error {
	post := func(path string, v any) error {
		body, err := json.Marshal(v)
		if err == nil {
			_, err = q.call(ctx, http.MethodPost, path, http.Header{"Content-Type": {"application/json"}}, body)
		}
		return err
	}
	switch line.Kind {
	case "queue":
		var in struct {
			Name        string `json:"name"`
			Parallelism int    `json:"parallelism"`
			Paused      bool   `json:"paused"`
		}
		if err := json.Unmarshal(line.Value, &in); err != nil {
			return err
		}
		err := post("/v2/queues", map[string]any{"queueName": in.Name, "parallelism": in.Parallelism})
		if err == nil && in.Paused {
			err = post("/v2/queues/"+url.PathEscape(in.Name)+"/pause", nil)
		}
		return err
	case "urlGroup":
		var in struct {
			Name      string              `json:"name"`
			Endpoints json.RawMessage     `json:"endpoints"`
			Headers   map[string][]string `json:"headers"`
		}
		if err := json.Unmarshal(line.Value, &in); err != nil {
			return err
		}
		err := post("/v2/topics/"+url.PathEscape(in.Name)+"/endpoints", map[string]any{"endpoints": in.Endpoints})
		if err != nil || len(in.Headers) == 0 {
			return err
		}
		body, err := json.Marshal(map[string]any{"headers": in.Headers})
		if err == nil {
			_, err = q.call(ctx, http.MethodPatch, "/v2/topics/"+url.PathEscape(in.Name), nil, body)
		}
		return err
	case "schedule", "dlq":
		return q.writeMessage(ctx, line)
	}
	return fmt.Errorf("kind %q: want queue, urlGroup, schedule or dlq", line.Kind)
}

func (q *qstashAPI) writeMessage(ctx context.Context, line exportLine) error {
	var s settings
	if err := json.Unmarshal(line.Value, &s); err != nil {
		return err
	}
	if line.Kind == "dlq" {
		path := "/v2/publish/" + s.URL
		if s.Queue != "" {
			path = "/v2/enqueue/" + url.PathEscape(s.Queue) + "/" + s.URL
		}
		_, err := q.call(ctx, http.MethodPost, path, s.headers(), s.body())
		return err
	}
	_, err := q.call(ctx, http.MethodPost, "/v2/schedules/"+s.Destination, s.headers(), s.body())
	if err == nil && s.Paused {
		_, err = q.call(ctx, http.MethodPost, "/v2/schedules/"+url.PathEscape(s.ScheduleID)+"/pause", nil, nil)
	}
	return err
}

// qstash makes the account of a URL, which is the local server's if there is none.
func (f *endpointFlags) qstash(where, variable string) (*qstashAPI, error) {
	token := os.Getenv(variable)
	if where == "" {
		vars, err := readLocalEnv(f.data)
		if err != nil {
			return nil, err
		}
		where, token = vars["QSTASH_URL"], vars["QSTASH_TOKEN"]
	}
	if token == "" {
		return nil, misuse{fmt.Errorf("no token for %s: set %s", where, variable)}
	}
	return &qstashAPI{newAPIClient(where, bearer(token))}, nil
}

// kindsOfQStash are counted in this order.
var kindsOfQStash = []string{"queue", "urlGroup", "schedule", "dlq"}

func counts(of map[string]int) string {
	var parts []string
	for _, kind := range kindsOfQStash {
		parts = append(parts, fmt.Sprintf("%s %d", kind, of[kind]))
	}
	return strings.Join(parts, ", ")
}

func newExportQStash() *cobra.Command {
	var f endpointFlags
	var from, out string
	cmd := &cobra.Command{
		Use:   "qstash",
		Short: "Write queues, URL groups, schedules and dead letters of a QStash account as lines of JSON",
		Long: `Write queues, URL groups, schedules and dead letters of a QStash account as lines of JSON: {"kind":"schedule",
"value":...} with the value as QStash's API shows it. Messages that are under way, logs and signing keys are not
among them. The token is read from SKYSTASH_FROM_TOKEN.`,
		Example: `  SKYSTASH_FROM_TOKEN=... skystash export qstash --from https://qstash.upstash.io --out qstash.jsonl`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return errNoOut
			}
			q, err := f.qstash(from, "SKYSTASH_FROM_TOKEN")
			if err != nil {
				return err
			}
			count, err := exportLines(cmd, out, func(each func(exportLine) error) error { return q.read(cmd.Context(), each) })
			if err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "exported %s\n", counts(count))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`URL` of QStash; default: the local server's")
	cmd.Flags().StringVar(&out, "out", "", "`file` to write, - for standard output")
	cmd.Flags().StringVar(&f.data, "data", ".skystash", "`folder` of the local server")
	return cmd
}

// importQStash are the flags of import qstash.
type importQStash struct {
	endpointFlags
	from, to string
	publish  bool
}

func newImportQStash() *cobra.Command {
	var i importQStash
	cmd := &cobra.Command{
		Use:   "qstash",
		Short: "Bring in queues, URL groups and schedules of a QStash account",
		Long: `Bring in queues, URL groups and schedules of a QStash account, by its API or from a file that "skystash export
qstash" has written. Schedules keep their ids, so an import can be repeated; those that were paused are paused. Pause or
delete them at the source, or both accounts send. Dead letters cannot become dead letters of another account: --publish-dlq
sends them again, as new messages. The tokens are read from SKYSTASH_FROM_TOKEN and SKYSTASH_TO_TOKEN.`,
		Example: `  SKYSTASH_FROM_TOKEN=... skystash import qstash --from https://qstash.upstash.io
  skystash import qstash --from qstash.jsonl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return i.run(cmd) },
	}
	cmd.Flags().StringVar(&i.from, "from", "", "`URL` of QStash, or file, to read from")
	cmd.Flags().StringVar(&i.to, "to", "", "`URL` of QStash to write to; default: the local server's")
	cmd.Flags().BoolVar(&i.publish, "publish-dlq", false, "publish the messages among the dead letters again")
	cmd.Flags().StringVar(&i.data, "data", ".skystash", "`folder` of the local server")
	return cmd
}

func (i *importQStash) run(cmd *cobra.Command) error {
	if i.from == "" {
		return errNoFrom
	}
	to, err := i.qstash(i.to, "SKYSTASH_TO_TOKEN")
	if err != nil {
		return err
	}
	count, left, failed := map[string]int{}, 0, 0
	each := func(line exportLine) error {
		if line.Kind == "dlq" && !i.publish {
			left++
			return nil
		}
		if !slices.Contains(kindsOfQStash, line.Kind) {
			return fmt.Errorf("kind %q: want %s", line.Kind, strings.Join(kindsOfQStash, ", "))
		}
		if err := to.write(cmd.Context(), line); err != nil {
			failed++
			fmt.Fprintf(cmd.ErrOrStderr(), "  %s: %v\n", line.Kind, err)
			return cmd.Context().Err()
		}
		count[line.Kind]++
		return nil
	}
	if isServer(i.from) {
		from, err := i.qstash(i.from, "SKYSTASH_FROM_TOKEN")
		if err != nil {
			return err
		}
		err = from.read(cmd.Context(), each)
		if err != nil {
			return err
		}
	} else if err := readLines(i.from, each); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "imported %s\n", counts(count))
	if left > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d dead letters were left out; --publish-dlq sends them again\n", left)
	}
	if failed > 0 {
		return fmt.Errorf("%d could not be imported", failed)
	}
	return nil
}
