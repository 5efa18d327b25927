package dynamo_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
)

// quick answers before the transport has looked for the end of the request's body.
type quick struct{ body io.Reader }

func (q *quick) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, sent); err != nil {
		return nil, err
	}
	q.body = r.Body
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(`{}`)), Request: r,
	}, nil
}

// net/http's transport gives a connection up if the request's body ends with an error. When an answer
// comes early, the SDK closes the body before the transport has seen its end.
func TestEarlyAnswerDoesNotCostTheConnection(t *testing.T) {
	q := &quick{}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: q}, DisableValidateResponseChecksum: true,
		Credentials: aws.AnonymousCredentials{},
	})
	if _, err := dynamo.New(client, "table").Get(t.Context(), store.Key{Partition: "p", Sort: "s"}); err != nil {
		t.Fatal(err)
	}
	var rest bytes.Buffer
	if n, err := io.Copy(&rest, q.body); n != 0 || err != nil {
		t.Errorf("the body that was sent ends with %d bytes more, %v", n, err)
	}
}
