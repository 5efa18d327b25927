package rest

import (
	"errors"
	"net/http"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
)

// maxText bounds a refusal's text in bytes: it names what the client has sent, and that may be long.
const maxText = 1000

func refuse(status int, format string, args ...any) error {
	e := edge.Refusef(status, format, args...)
	if len(e.Text) > maxText {
		e.Text = strings.ToValidUTF8(e.Text[:maxText], "") + "..."
	}
	return e
}

func badRequest(format string, args ...any) error {
	return refuse(http.StatusBadRequest, format, args...)
}

// partial is an answer to a produce request of which some messages were not accepted.
type partial struct {
	results []kafka.Produced
	worst   error
}

func (e *partial) Error() string { return e.worst.Error() }
func (e *partial) Unwrap() error { return e.worst }

// failure is the JSON of an error.
type failure struct {
	Error   string `json:"error"`
	Status  int    `json:"status"`
	Results []any  `json:"results,omitempty"` // of a produce request metadata or failure, of a commit offsetAnswer or refusedOffset
}

// refuse is the answer to a request that failed.
func (h *Handler) refuse(r *http.Request, err error) (e *edge.Error, body []byte) {
	e = edge.Report(r.Context(), h.log, answerOf(err), "method", r.Method)
	f := failure{Error: e.Message(), Status: e.Status}
	var p *partial
	if errors.As(err, &p) {
		for _, m := range p.results {
			if m.Err == nil {
				f.Results = append(f.Results, metadataOf(m))
				continue
			}
			one := edge.Of(answerOf(m.Err))
			f.Results = append(f.Results, failure{Error: one.Text, Status: one.Status})
		}
	}
	var c *kafka.CommitError
	if errors.As(err, &c) {
		for _, r := range c.Results {
			f.Results = append(f.Results, commitResult(r))
		}
	}
	body, err = encode(f, edge.Work{})
	if err != nil {
		body = []byte(`{"error":"internal error","status":500}`)
	}
	return e, body
}

// refusedOffset is the JSON of an offset of a commit that was not stored.
type refusedOffset struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Error     string `json:"error"`
	Status    int    `json:"status"`
}

func commitResult(r kafka.CommitResult) any {
	if r.Err == nil {
		return offsetAnswer{r.Topic, r.Partition, r.Offset}
	}
	one := edge.Of(answerOf(r.Err))
	return refusedOffset{r.Topic, r.Partition, one.Text, one.Status}
}

var statuses = map[kafka.ErrorKind]int{
	kafka.Invalid:  http.StatusBadRequest,
	kafka.NotFound: http.StatusNotFound,
	kafka.Exists:   http.StatusConflict,
	kafka.TooLarge: http.StatusRequestEntityTooLarge,
	kafka.Lost:     http.StatusConflict,
	kafka.InUse:    http.StatusConflict,
}

// answerOf makes a refusal of what the engine refuses. All else is as it is: package edge knows its status.
func answerOf(err error) error {
	var asked *kafka.Error
	if errors.As(err, &asked) {
		return refuse(statuses[asked.Kind], "%s", asked.Text)
	}
	if errors.Is(err, kafka.ErrSearched) {
		return refuse(http.StatusRequestEntityTooLarge, "%s", kafka.ErrSearched)
	}
	return err
}
