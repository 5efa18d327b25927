package meter_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// TestFoldsFitIntoDynamoDBsTransactions has as many resources, classes and latencies as make the largest of them.
func TestFoldsFitIntoDynamoDBsTransactions(t *testing.T) {
	client := dynamolocal.Client(t)
	st := dynamo.New(client, dynamolocal.Table(t, client))
	folder := meter.NewFolder(meter.FolderConfig{Store: st})
	at := noon
	var tr truth
	var entries []meter.Entry
	for i := range 2000 {
		r := meter.Record{
			Resource: meter.Resource{Product: "redis", ID: fmt.Sprint(i % 40)}, Class: []string{meter.ClassRead, meter.ClassWrite, meter.ClassScript, meter.ClassPubSub}[i%4],
			At: at, Duration: time.Duration(1024 * pow(1.09, i%240)), Status: 200 + 100*(i%4), Commands: 1, BytesIn: 1, BytesOut: 1, Calls: 1, ReadUnits: 1, WriteUnits: 1,
		}
		e := meter.Entry{Instance: fmt.Sprint("i", i%90), Number: int64(i / 90), Sum: r.Sum()}
		entries = append(entries, e)
		tr.add(e.Sum)
	}
	if done, err := folder.Fold(t.Context(), entries); err != nil || done.Entries != 2000 {
		t.Fatalf("%+v, %v", done, err)
	}
	acc := meter.NewAccumulator(folder)
	for i := range 4 * meter.Buckets {
		r := meter.Record{Resource: db1, Class: meter.ClassRead, At: at, Duration: time.Duration(1024 * pow(1.025, i)), Status: 200, Commands: 1}
		acc.Record(r)
		tr.add(r.Sum())
	}
	if _, err := acc.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	tr.check(t, st)
}
