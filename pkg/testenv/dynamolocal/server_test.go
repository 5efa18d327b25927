package dynamolocal

import (
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/emulator"
)

// TestExpiredItemsStay waits until DynamoDB Local as Amazon delivers it has deleted an expired item,
// beside which the server that tests get has kept one that is older.
func TestExpiredItemsStay(t *testing.T) {
	key := store.Key{Partition: "p", Sort: "s"}
	expired := store.NewAttrs(store.Attr{Name: store.TTLAttr, Value: store.Int(time.Now().Add(-24 * time.Hour).Unix())})
	write := func(client *dynamodb.Client) *dynamo.Store {
		s := dynamo.New(client, Table(t, client))
		t.Cleanup(func() { s.Close() })
		if _, err := s.Apply(t.Context(), store.Put(key, expired, nil)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	keeps := func(s *dynamo.Store) bool {
		item, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return item != nil
	}

	kept := write(Client(t))
	reaping := emulator.Server{
		Name:    "DynamoDB Local as it is",
		Command: func(integration string) (*exec.Cmd, error) { return command(integration, true) },
		Timeout: server.Timeout, Quiet: true,
	}
	endpoint := reaping.Start(t)
	reaped := write(Client(t, func(o *dynamodb.Options) { o.BaseEndpoint = aws.String(endpoint) }))
	for keeps(reaped) {
		time.Sleep(100 * time.Millisecond) // between two looks
	}
	if !keeps(kept) {
		t.Error("the server deletes expired items by the machine's clock, so that tests pass or fail by the calendar")
	}
}
