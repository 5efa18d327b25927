package awsbody

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"
)

// transport answers at once and keeps the last request.
type transport struct {
	last *http.Request
	sent []byte
}

func (tr *transport) Do(r *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(r.Body)
	tr.last, tr.sent = r, sent
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(`{"QueueUrls":[]}`)), Request: r,
	}, err
}

func call(t *testing.T, options ...func(*middleware.Stack) error) *transport {
	t.Helper()
	tr := &transport{}
	client := sqs.New(sqs.Options{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient: tr, APIOptions: options,
	})
	if _, err := client.ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: aws.String("q")}); err != nil {
		t.Fatal(err)
	}
	return tr
}

// What the transport asks a body after the SDK has closed it must be an end and not an error:
// for an error it closes the connection.
func TestBodyThatIsClosedHasEnded(t *testing.T) {
	if n, err := io.Copy(io.Discard, call(t, Plain).last.Body); n != 0 || err != nil {
		t.Errorf("%d bytes and %v, want the end", n, err)
	}
	if _, err := io.Copy(io.Discard, call(t).last.Body); err == nil {
		t.Error("the SDK's own body says the end, too: Plain is for its bytes alone now")
	}
}

func TestBodyCanBeSentAgain(t *testing.T) {
	tr := call(t, Plain, Plain)
	if len(tr.sent) == 0 {
		t.Fatal("the request had no body")
	}
	for range 2 {
		body, err := tr.last.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		again, err := io.ReadAll(body)
		if err != nil || !bytes.Equal(again, tr.sent) {
			t.Errorf("%q and %v, want %q", again, err, tr.sent)
		}
	}
}
