package dynamo_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

func TestCreateTable(t *testing.T) {
	client := dynamolocal.Client(t)
	table := dynamolocal.Table(t, client)
	if err := dynamo.CreateTable(t.Context(), client, table); err != nil {
		t.Errorf("creating it again: %v", err)
	}
	d, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	if d.Table.TableStatus != types.TableStatusActive || d.Table.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
		t.Errorf("status %s, billing %s", d.Table.TableStatus, d.Table.BillingModeSummary.BillingMode)
	}
	for i, want := range []string{"p", "s"} {
		if got := aws.ToString(d.Table.KeySchema[i].AttributeName); got != want {
			t.Errorf("key attribute %d is %s", i, got)
		}
	}
	ttl, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	if d := ttl.TimeToLiveDescription; d.TimeToLiveStatus != types.TimeToLiveStatusEnabled || aws.ToString(d.AttributeName) != store.TTLAttr {
		t.Errorf("expiry on %s is %s", aws.ToString(d.AttributeName), d.TimeToLiveStatus)
	}
}

func TestReservedAttributeNamesAreRefused(t *testing.T) {
	s := dynamolocal.Open(t)
	for _, name := range []string{"p", "s", "-", ""} {
		attrs := store.Attrs{{Name: name, Value: store.Int(1)}}
		for what, op := range map[string]store.Op{
			"put":    store.Put(key("a"), attrs, nil),
			"update": store.Update(key("a"), nil, store.Set(name, store.Int(1))),
		} {
			if _, err := s.Apply(t.Context(), op); err == nil {
				t.Errorf("%s of attribute %q: no error", what, name)
			}
		}
	}
	if as, err := s.Get(t.Context(), key("a")); as != nil || err != nil {
		t.Errorf("%v, error %v", as, err)
	}
}

// bodies checks that a request's body can be had again.
type bodies struct{ t *testing.T }

func (b bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.GetBody == nil {
		b.t.Error("the transport could not repeat the request on a fresh connection")
		return http.DefaultTransport.RoundTrip(r)
	}
	var read [3][]byte
	for i := range read {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		if read[i], err = io.ReadAll(body); err != nil {
			return nil, err
		}
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if len(sent) == 0 || !bytes.Equal(read[0], sent) || !bytes.Equal(read[2], sent) {
		b.t.Errorf("sent %q, then %q", sent, read)
	}
	again, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = again
	return http.DefaultTransport.RoundTrip(r)
}

func TestRequestBodiesAreRewindable(t *testing.T) {
	s := dynamo.New(dynamolocal.Client(t, dynamolocal.WithTransport(bodies{t})), dynamolocal.Table(t, dynamolocal.Client(t)))
	if _, err := s.Apply(t.Context(), store.Put(key("a"), store.Attrs{}, nil)); err != nil {
		t.Error(err)
	}
	if as, err := s.Get(t.Context(), key("a")); as == nil || err != nil {
		t.Errorf("%v, error %v", as, err)
	}
}
