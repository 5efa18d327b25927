package rest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/batch"
)

// append puts a batch of records into the topic red, as clients of Kafka's protocol do.
func (a *api) append(partition int, records []batch.Record) error {
	a.Helper()
	for i := range records {
		records[i].Offset = int64(i)
	}
	data, err := batch.Encode(records, 0, int64(len(records)))
	if err != nil {
		a.Fatal(err)
	}
	return a.engine.Append(a.Context(), a.cluster, []kafka.NewBatch{{TopicPartition: kafka.TopicPartition{Topic: "red", Partition: partition}, Data: data}}, 0)[0].Err
}

// sink is a response of which only the length is kept.
type sink struct {
	*httptest.ResponseRecorder
	bytes int
}

func (s *sink) Write(b []byte) (int, error) {
	s.bytes += len(b)
	return len(b), nil
}

// costs sends a request, and returns how long the answer is and how many bytes were allocated for it.
func (a *api) costs(request, body string) (answer, allocated int) {
	a.Helper()
	user, password := a.credential(nil)
	method, path, _ := strings.Cut(request, " ")
	r := httptest.NewRequestWithContext(a.Context(), method, path, strings.NewReader(body))
	r.SetBasicAuth(user, password)
	w := &sink{ResponseRecorder: httptest.NewRecorder()}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a.handler.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	if w.Code != http.StatusOK {
		a.Errorf("%s: status %d", request, w.Code)
	}
	return w.bytes, int(after.TotalAlloc - before.TotalAlloc)
}

// A batch of a few KB may stand for 64 MB, for half a million messages or for half a million headers. What a request to fetch
// takes depends on what it returns alone.
func TestFetchingWhatIsCompressedTakesLittle(t *testing.T) {
	many := make([]batch.Record, 400_000)
	for i := range many {
		many[i].Value = make([]byte, 100)
	}
	headers := make([]batch.Header, 450_000)
	for name, c := range map[string]struct {
		batches [][]batch.Record
		offset  int
		answer  int // bytes, at most
		beyond  int // bytes that are allocated besides, at most
	}{
		"many messages":             {[][]batch.Record{many}, 0, 1 << 20, 16 << 20},
		"the last of many messages": {[][]batch.Record{many}, 399_990, 1 << 20, 16 << 20},
		"a large message":           {[][]batch.Record{{{Value: make([]byte, 15<<20)}}}, 0, 100 << 20, 64 << 20},
		"many headers":              {[][]batch.Record{{{Headers: headers}}, {{Headers: headers}}, {{Headers: headers}}, {{Headers: headers}}}, 0, 20 << 20, 96 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			for _, records := range c.batches {
				if err := a.append(0, records); err != nil {
					t.Fatal(err)
				}
			}
			// Until they are there:
			if status, got := a.do("POST /fetch", fmt.Sprintf(`{"topic":"red","partition":0,"offset":%d,"timeout":20000}`, c.offset)); status != http.StatusOK || !strings.Contains(got, `"offset"`) {
				t.Fatalf("%d %.200s", status, got)
			}
			for request, body := range map[string]string{
				"POST /fetch": fmt.Sprintf(`{"topicPartitionOffsets":[%s{"topic":"red","partition":0,"offset":%d}]}`,
					strings.Repeat(fmt.Sprintf(`{"topic":"red","partition":0,"offset":%d},`, c.offset), 999), c.offset),
			} {
				answer, allocated := a.costs(request, body)
				if answer == 0 || answer > c.answer || allocated > answer+c.beyond {
					t.Errorf("%s: %d bytes answered, %d allocated", request, answer, allocated)
				}
			}
		})
	}
}

func TestMessagesThatAreTooLargeToBeReadAreRefused(t *testing.T) {
	a := newAPI(t)
	var refused *kafka.Error
	if err := a.append(0, []batch.Record{{Value: make([]byte, 16<<20)}}); !errors.As(err, &refused) || refused.Kind != kafka.TooLarge {
		t.Errorf("%v", err)
	}
}

func TestRequestsThatNameManyPartitionsAreRefused(t *testing.T) {
	a := newAPI(t)
	places := strings.Repeat(`{"topic":"red","partition":0,"offset":0},`, 1000) + `{"topic":"red","partition":0,"offset":0}`
	for request, body := range map[string]string{
		"POST /fetch":          `{"topicPartitionOffsets":[` + places + `]}`,
		"POST /commit/g/i":     "[" + places + "]",
		"POST /committed/g/i":  "[" + places + "]",
		"POST /offsets/latest": "[" + places + "]",
	} {
		a.refused(request, body, http.StatusRequestEntityTooLarge, "the body names 1001 partitions, at most 1000")
	}
}

// To find a message by its time, those before it in its batch are decoded, once: not once for every 500 of them. What a header says
// about a batch's times is not believed.
func TestSearchingByTimeIsBounded(t *testing.T) {
	a := newAPI(t)
	many := make([]batch.Record, 400_000)
	for i := range many {
		many[i].Timestamp, many[i].Value = 1000, make([]byte, 100)
	}
	many[len(many)-1].Timestamp = 5000
	if err := a.append(0, many); err != nil {
		t.Fatal(err)
	}
	a.want("POST /offsets/5000?timeout=20000", `{"topic":"red","partition":0}`, `[{"topic":"red","partition":0,"offset":399999}]`)
	if _, allocated := a.costs("POST /offsets/5000", `[{"topic":"red","partition":0}]`); allocated > 16<<20 {
		t.Errorf("%d bytes allocated", allocated)
	}
	place := `{"topic":"red","partition":0}`
	a.refused("POST /offsets/5000", "["+strings.Repeat(place+",", 99)+place+"]", http.StatusRequestEntityTooLarge, "ask for fewer partitions at once")

	data, err := batch.Encode([]batch.Record{{Timestamp: 6000}}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	batch.SetMaxTimestamp(data, 1<<50)
	if err := a.engine.Append(t.Context(), a.cluster, []kafka.NewBatch{{TopicPartition: kafka.TopicPartition{Topic: "blue"}, Data: data}}, 0)[0].Err; err != nil {
		t.Fatal(err)
	}
	a.want("POST /offsets/6000?timeout=20000", `{"topic":"blue","partition":0}`, `[{"topic":"blue","partition":0,"offset":0}]`)
	if info, _, err := batch.Next(data); err != nil || info.MaxTimestamp != 6000 {
		t.Errorf("%+v, %v", info, err)
	}
}
