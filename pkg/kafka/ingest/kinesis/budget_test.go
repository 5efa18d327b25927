package kinesis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/kafka/ingest/ingesttest"
	"github.com/skystash/skystash/pkg/kafka/ingest/kinesis"
	"github.com/skystash/skystash/pkg/testenv/kinesislocal"
)

// shardReads is what a shard of Kinesis takes in a second.
const shardReads = 5

// throttler refuses reads of a shard beyond five in a second, as Kinesis does and emulators do not.
type throttler struct {
	inner transport

	mu      sync.Mutex
	shardOf map[string]string // by iterator
	reads   map[string][]time.Time
	refused int
}

func (th *throttler) RoundTrip(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if op != "GetRecords" && op != "GetShardIterator" {
		return th.inner(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in struct{ ShardId, ShardIterator string }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	if op == "GetRecords" && !th.take(in.ShardIterator) {
		return answer(r, 400, `{"__type":"ProvisionedThroughputExceededException","message":"Rate exceeded for shard"}`), nil
	}
	resp, err := th.inner(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	var out struct{ ShardIterator, NextShardIterator string }
	_ = json.Unmarshal(text, &out) // an error has neither
	th.mu.Lock()
	defer th.mu.Unlock()
	shard := in.ShardId
	if shard == "" {
		shard = th.shardOf[in.ShardIterator]
	}
	th.shardOf[out.ShardIterator], th.shardOf[out.NextShardIterator] = shard, shard
	return resp, nil
}

func (th *throttler) take(iterator string) bool {
	th.mu.Lock()
	defer th.mu.Unlock()
	shard, now := th.shardOf[iterator], time.Now()
	reads := slices.DeleteFunc(th.reads[shard], func(at time.Time) bool { return now.Sub(at) >= time.Second })
	if len(reads) >= shardReads {
		th.reads[shard] = reads
		th.refused++
		return false
	}
	th.reads[shard] = append(reads, now)
	return true
}

func newThrottler(inner transport) *throttler {
	return &throttler{inner: inner, shardOf: map[string]string{}, reads: map[string][]time.Time{}}
}

func TestConformanceOfAStreamThatThrottles(t *testing.T) {
	th := newThrottler(http.DefaultTransport.RoundTrip)
	client := kinesislocal.Client(t, func(o *awskinesis.Options) { o.HTTPClient = &http.Client{Transport: th} })
	ingesttest.Run(t, func(t *testing.T) ingest.Stream {
		return kinesis.New(client, kinesislocal.Stream(t, client, 1), kinesis.Options{PollEvery: 250 * time.Millisecond})
	})
}

// fakeShard answers as a stream of one shard into which nothing comes.
func fakeShard(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return answer(r, 200, map[string]string{
		"ListShards":       `{"Shards":[{"ShardId":"s","HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"340282366920938463463374607431768211455"},"SequenceNumberRange":{"StartingSequenceNumber":"0"}}]}`,
		"GetShardIterator": `{"ShardIterator":"i"}`,
		"GetRecords":       `{"Records":[],"NextShardIterator":"i","MillisBehindLatest":0}`,
	}[op]), nil
}

// Any number of processes want the end of a shard for those who wait in them, all the time. The one that
// consumes the shard reads it about once a second all the same.
func TestTailsLeaveTheConsumerItsShare(t *testing.T) {
	for _, processes := range []int{1, 3, 20} {
		t.Run(fmt.Sprint(processes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				th := newThrottler(fakeShard)
				var mu sync.Mutex
				consumed, tails := 0, 0
				open := func(count *int) *kinesis.Stream {
					client := awskinesis.New(awskinesis.Options{
						Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
						BaseEndpoint: aws.String("http://kinesis.test"),
						HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
							resp, err := th.RoundTrip(r)
							if err == nil && resp.StatusCode == 200 && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRecords") {
								mu.Lock()
								*count++
								mu.Unlock()
							}
							return resp, err
						})},
					})
					return kinesis.New(client, "stream", kinesis.Options{})
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var all sync.WaitGroup
				all.Go(func() {
					if err := open(&consumed).Consume(ctx, nil); err != nil {
						t.Error(err)
					}
				})
				for range processes {
					s := open(&tails)
					for range 5 { // who wait in the process
						all.Go(func() {
							for ctx.Err() == nil {
								err := s.Tail(ctx, "k", time.Now(), nil)
								if err != nil && !errors.Is(err, ingest.ErrThrottled) && ctx.Err() == nil {
									t.Error(err)
								}
								time.Sleep(250 * time.Millisecond)
							}
						})
					}
				}
				all.Wait()
				if consumed < 45 || tails < 60 {
					t.Errorf("in a minute the shard was consumed %d times, and its end read %d times", consumed, tails)
				}
				t.Logf("consumed %d times, end read %d times, %d reads refused", consumed, tails, th.refused)
			})
		})
	}
}
