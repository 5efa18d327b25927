package dynamolocal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Exchange is a request that was answered.
type Exchange struct {
	Op      string // "GetItem"
	Status  int    // of HTTP
	Request []byte // JSON, as the answer
	Answer  []byte
}

// Reporting is a transport (see [WithTransport]) that makes DynamoDB Local
// report what each request consumes, and hands each exchange to see, whose
// error fails the request.
func Reporting(see func(Exchange) error) http.RoundTripper { return reporting{see} }

type reporting struct{ see func(Exchange) error }

func (t reporting) RoundTrip(r *http.Request) (*http.Response, error) {
	_, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !ok {
		return nil, fmt.Errorf("dynamolocal: a request without a target: %s", r.Header)
	}
	var in map[string]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, fmt.Errorf("dynamolocal: request %s: %w", op, err)
	}
	in["ReturnConsumedCapacity"] = json.RawMessage(`"TOTAL"`)
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	resp.Header.Del("X-Amz-Crc32") // that of DynamoDB Local is often wrong
	if err := t.see(Exchange{op, resp.StatusCode, body, answer}); err != nil {
		return nil, fmt.Errorf("dynamolocal: request %s: %w", op, err)
	}
	return resp, nil
}

// Consumed is the number of units in an answer's ConsumedCapacity, which is nil, that of
// one table, or a list.
func Consumed(report json.RawMessage) (float64, error) {
	type capacity struct{ CapacityUnits float64 }
	if report == nil {
		return 0, nil
	}
	if report[0] != '[' {
		var one capacity
		err := json.Unmarshal(report, &one)
		return one.CapacityUnits, err
	}
	var several []capacity
	if err := json.Unmarshal(report, &several); err != nil {
		return 0, err
	}
	total := 0.0
	for _, c := range several {
		total += c.CapacityUnits
	}
	return total, nil
}
