package rest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/qstash"
)

// selection is what a request selects, and how much of it.
type selection struct {
	filter  qstash.Filter
	cursor  string
	count   int
	counted bool // count was given
	latest  *bool
	trim    bool
	groupBy string
}

// maxValues bounds the values of one filter.
const maxValues = 1000

// filterFields say which field of a Filter a name stands for.
var filterFields = map[string]func(*qstash.Filter) *[]string{
	"messageid":      func(f *qstash.Filter) *[]string { return &f.MessageIDs },
	"messageids":     func(f *qstash.Filter) *[]string { return &f.MessageIDs },
	"dlqids":         func(f *qstash.Filter) *[]string { return &f.DLQIDs },
	"dlqid":          func(f *qstash.Filter) *[]string { return &f.DLQIDs },
	"url":            func(f *qstash.Filter) *[]string { return &f.URL },
	"host":           func(f *qstash.Filter) *[]string { return &f.Host },
	"path":           func(f *qstash.Filter) *[]string { return &f.Path },
	"topicname":      func(f *qstash.Filter) *[]string { return &f.Topic },
	"queuename":      func(f *qstash.Filter) *[]string { return &f.Queue },
	"scheduleid":     func(f *qstash.Filter) *[]string { return &f.Schedule },
	"label":          func(f *qstash.Filter) *[]string { return &f.Label },
	"flowcontrolkey": func(f *qstash.Filter) *[]string { return &f.FlowKey },
	"callerip":       func(f *qstash.Filter) *[]string { return &f.CallerIP },
	"state":          func(f *qstash.Filter) *[]string { return &f.State },
	"workflowrunid":  func(f *qstash.Filter) *[]string { return &f.RunID },
	"workflowrunids": func(f *qstash.Filter) *[]string { return &f.RunID },
	"workflowurl":    func(f *qstash.Filter) *[]string { return &f.WorkflowURL },

	"failurefunctionstate": func(f *qstash.Filter) *[]string { return &f.FailureState },
}

// filterStates are the values of the fields that have only some: states of events, runs, steps and callbacks.
var filterStates = map[string][]string{
	"state": {"CREATED", "ACTIVE", "RETRY", "ERROR", "IN_PROGRESS", "DELIVERED", "FAILED", "CANCEL_REQUESTED", "CANCELED", "CANCELLED",
		"RUN_STARTED", "RUN_SUCCESS", "RUN_FAILED", "RUN_CANCELED", "STEP_PROGRESS", "STEP_RETRY", "STEP_SUCCESS", "STEP_FAILED", "STEP_CANCELED"},
	"failurefunctionstate": {"CALLBACK_INPROGRESS", "CALLBACK_SUCCESS", "CALLBACK_FAIL", "CALLBACK_CANCELED"},
}

// splitByComma are the fields whose values may be a list in one text.
var splitByComma = map[string]bool{"messageids": true, "dlqids": true, "workflowrunids": true}

// Names of filters that requests take.
const (
	commonFilters  = "url topicName queueName scheduleId label flowControlKey callerIp fromDate toDate count cursor order "
	messageFilters = commonFilters + "messageIds host path"
	logFilters     = commonFilters + "messageId messageIds state host path groupBy trimBody api"
	dlqFilters     = commonFilters + "dlqIds dlqId messageId responseStatus source workflowRunId workflowUrl workflowCreatedAt failureFunctionState trimBody api"
)

// selects reads the query and the JSON body. A name that is not in names is refused: a
// typing error must not select everything.
func (x *exchange) selects(names string, maxCount int) (selection, error) {
	s := selection{count: maxCount}
	allowed := map[string]bool{}
	for _, name := range strings.Fields(names) {
		allowed[strings.ToLower(name)] = true
	}
	query, err := url.ParseQuery(x.query)
	if err != nil {
		return s, badRequest("invalid query")
	}
	for name, values := range query {
		if err := s.set(allowed, name, values, maxCount); err != nil {
			return s, err
		}
	}
	var body map[string]json.RawMessage
	if err := x.json(&body); err != nil {
		return s, err
	}
	for name, raw := range body {
		values, err := jsonValues(raw)
		if err != nil {
			return s, badRequest("invalid value for filter " + strconv.Quote(name))
		}
		if err := s.set(allowed, name, values, maxCount); err != nil {
			return s, err
		}
	}
	return s, nil
}

// jsonValues reads a text, a number or a boolean, or an array of them.
func jsonValues(raw json.RawMessage) ([]string, error) {
	var many []json.RawMessage
	if json.Unmarshal(raw, &many) != nil {
		many = []json.RawMessage{raw}
	}
	values := make([]string, len(many))
	for i, one := range many {
		if json.Unmarshal(one, &values[i]) == nil {
			continue
		}
		var n json.Number
		if err := json.Unmarshal(one, &n); err == nil {
			values[i] = n.String()
			continue
		}
		var b bool
		if err := json.Unmarshal(one, &b); err != nil {
			return nil, err
		}
		values[i] = strconv.FormatBool(b)
	}
	return values, nil
}

func (s *selection) set(allowed map[string]bool, name string, values []string, maxCount int) error {
	lower := strings.ToLower(name)
	if !allowed[lower] {
		return badRequest("unknown filter " + strconv.Quote(name))
	}
	if len(values) > maxValues {
		return badRequest("too many values for filter " + strconv.Quote(name))
	}
	if len(values) == 0 {
		return badRequest("empty filter " + strconv.Quote(name))
	}
	last := values[len(values)-1]
	var err error
	switch lower {
	case "cursor":
		s.cursor = last
	case "count":
		s.count, err = strconv.Atoi(last)
		if err != nil || s.count < 1 {
			return badRequest("invalid count " + strconv.Quote(last))
		}
		s.count, s.counted = min(s.count, maxCount), true
	case "order":
		latest := !strings.EqualFold(last, "earliestFirst")
		s.latest = &latest
	case "trimbody":
		s.trim = strings.EqualFold(last, "true")
	case "groupby":
		s.groupBy = last
	case "source":
		s.filter.Workflow = strings.EqualFold(last, "workflow")
	case "fromdate", "todate":
		ms, err := strconv.ParseFloat(last, 64)
		if err != nil {
			return badRequest("invalid date " + strconv.Quote(last))
		}
		if lower == "fromdate" {
			s.filter.From = int64(ms)
		} else {
			s.filter.To = max(1, int64(ms))
		}
	case "responsestatus":
		for _, v := range values {
			n, err := strconv.Atoi(v)
			if err != nil {
				return badRequest("invalid response status " + strconv.Quote(v))
			}
			s.filter.Status = append(s.filter.Status, n)
		}
	case "workflowcreatedat":
	case "api": // of messages to a provider by its short name, which there are none of
		s.filter.URL = []string{""}
	default:
		field := filterFields[lower](&s.filter)
		for _, v := range values {
			if known := filterStates[lower]; known != nil && !slices.Contains(known, v) {
				return badRequest("unknown state " + strconv.Quote(v) + ": want " + strings.Join(known, ", "))
			}
			if splitByComma[lower] {
				*field = append(*field, list(v)...)
			} else {
				*field = append(*field, v)
			}
		}
		if len(*field) == 0 {
			return badRequest("empty filter " + strconv.Quote(name))
		}
	}
	return nil
}
