package kinesis_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/kafka/ingest/ingesttest"
	"github.com/skystash/skystash/pkg/kafka/ingest/kinesis"
	"github.com/skystash/skystash/pkg/testenv/kinesislocal"
)

var options = kinesis.Options{PollEvery: 20 * time.Millisecond}

func TestConformance(t *testing.T) {
	for _, shards := range []int32{1, 3} {
		t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) {
			client := kinesislocal.Client(t)
			ingesttest.Run(t, func(t *testing.T) ingest.Stream {
				return kinesis.New(client, kinesislocal.Stream(t, client, shards), options)
			})
		})
	}
}

// hashed is where a key lies.
func hashed(key string) *big.Int {
	sum := md5.Sum([]byte(key))
	return new(big.Int).SetBytes(sum[:])
}

func TestOrderSurvivesSplitsAndMerges(t *testing.T) {
	client := kinesislocal.Client(t)
	name := kinesislocal.Stream(t, client, 1)
	s := kinesis.New(client, name, options)
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	count := 0
	since := time.Now().Add(-time.Minute)
	putSome := func() {
		t.Helper()
		for range 5 {
			for _, k := range keys {
				if errs := s.Put(t.Context(), []ingest.Record{{Key: k, Data: fmt.Append(nil, count/len(keys))}}); errs != nil {
					t.Fatal(errs)
				}
				count++
			}
		}
	}
	shards := func() (open []string) {
		t.Helper()
		out, err := client.DescribeStream(t.Context(), &awskinesis.DescribeStreamInput{StreamName: &name})
		if err != nil {
			t.Fatal(err)
		}
		for _, sh := range out.StreamDescription.Shards {
			if sh.SequenceNumberRange.EndingSequenceNumber == nil {
				open = append(open, *sh.ShardId)
			}
		}
		return open
	}
	putSome()
	first := ingesttest.Collect(t, s, nil) // reads while it happens
	half := new(big.Int).Lsh(big.NewInt(1), 127)
	if _, err := client.SplitShard(t.Context(), &awskinesis.SplitShardInput{
		StreamName: &name, ShardToSplit: &shards()[0], NewStartingHashKey: aws.String(half.String()),
	}); err != nil {
		t.Fatal(err)
	}
	kinesislocal.WaitActive(t, client, name)
	putSome()
	two := shards()
	if len(two) != 2 {
		t.Fatalf("open shards %v", two)
	}
	if _, err := client.MergeShards(t.Context(), &awskinesis.MergeShardsInput{
		StreamName: &name, ShardToMerge: &two[0], AdjacentShardToMerge: &two[1],
	}); err != nil {
		t.Fatal(err)
	}
	kinesislocal.WaitActive(t, client, name)
	putSome()

	// And one that finds everything there, with parents and children side by side.
	second := ingesttest.Collect(t, s, nil)
	for _, c := range []*ingesttest.Collector{first, second} {
		next := map[string]int{}
		for _, d := range c.Wait(t, count) {
			if string(d.Data) != fmt.Sprint(next[d.Key]) {
				t.Fatalf("%s: record %s, want %d", d.Key, d.Data, next[d.Key])
			}
			next[d.Key]++
		}
	}
	for _, k := range keys {
		n := 0
		err := s.Tail(t.Context(), k, since, func(ds []ingest.Delivery) error {
			for _, d := range ds {
				if d.Key == k {
					if string(d.Data) != fmt.Sprint(n) {
						t.Errorf("tail of %s: record %s, want %d", k, d.Data, n)
					}
					n++
				}
			}
			return nil
		})
		if err != nil || n != count/len(keys) {
			t.Errorf("tail of %s (hash %v): %d records, %v", k, hashed(k), n, err)
		}
	}
}

// transport disturbs requests.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// disturbed is a stream whose requests go through f.
func disturbed(t *testing.T, f transport) *kinesis.Stream {
	t.Helper()
	name := kinesislocal.Stream(t, kinesislocal.Client(t), 1)
	return kinesis.New(kinesislocal.Client(t, func(o *awskinesis.Options) { o.HTTPClient = &http.Client{Transport: f} }), name, options)
}

// answer is a response with a JSON body.
func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
}

func TestOnlyRefusedRecordsAreSentAgain(t *testing.T) {
	var puts atomic.Int64
	s := disturbed(t, func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutRecords") && puts.Add(1) == 1 {
			return answer(r, 200, `{"FailedRecordCount":1,"Records":[`+
				`{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"slow down"},`+
				`{"SequenceNumber":"1","ShardId":"shardId-000000000000"}]}`), nil
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	if errs := s.Put(t.Context(), []ingest.Record{{Key: "k", Data: []byte("first")}, {Key: "k", Data: []byte("second")}}); errs != nil {
		t.Fatal(errs)
	}
	got := ingesttest.Collect(t, s, nil).Wait(t, 1)
	if len(got) != 1 || string(got[0].Data) != "first" {
		t.Errorf("delivered %d, the first is %s", len(got), got[0].Data)
	}
}

func TestLostAnswersAreRepeatedUntilTheDeadlineAndThenDoubtful(t *testing.T) {
	lost := transport(func(r *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutRecords") {
			resp.Body.Close()
			return nil, errors.New("connection reset")
		}
		return resp, err
	})
	s := disturbed(t, lost)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if errs := s.Put(ctx, []ingest.Record{{Key: "k", Data: []byte("x")}}); len(errs) != 1 || !errors.Is(errs[0], ingest.ErrUnknownOutcome) {
		t.Errorf("errors %v", errs)
	}
}

func TestThrottlingUntilTheDeadlineIsNoDoubt(t *testing.T) {
	s := disturbed(t, func(r *http.Request) (*http.Response, error) {
		return answer(r, 400, `{"__type":"ProvisionedThroughputExceededException","message":"slow down"}`), nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if errs := s.Put(ctx, []ingest.Record{{Key: "k", Data: []byte("x")}}); len(errs) != 1 ||
		!errors.Is(errs[0], ingest.ErrThrottled) || errors.Is(errs[0], ingest.ErrUnknownOutcome) {
		t.Errorf("errors %v", errs)
	}
}

// What takes several reads is read without the pauses between looks at an idle shard, though the emulator says after
// each read that nothing is left.
func TestLongStreamsAreReadOnWithoutPauses(t *testing.T) {
	const records = 2300
	client := kinesislocal.Client(t)
	s := kinesis.New(client, kinesislocal.Stream(t, client, 1), kinesis.Options{PollEvery: time.Hour})
	since := time.Now().Add(-time.Minute)
	all := make([]ingest.Record, records)
	for i := range all {
		all[i] = ingest.Record{Key: "a", Data: []byte("b")}
	}
	if errs := s.Put(t.Context(), all); errs != nil {
		t.Fatal(errs)
	}
	tailed := 0
	if err := s.Tail(t.Context(), "a", since, func(ds []ingest.Delivery) error {
		tailed += len(ds)
		return nil
	}); err != nil || tailed != records {
		t.Errorf("the tail has %d records, %v", tailed, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	consumed := 0
	if err := s.Consume(ctx, func(_ context.Context, ds []ingest.Delivery) error {
		if consumed += len(ds); consumed >= records {
			stop()
		}
		return nil
	}); err != nil || consumed != records {
		t.Errorf("%d records were consumed, %v", consumed, err)
	}
}
