package rest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/batch"
)

func TestTrailingCommasAreForgivenAndStringsLeftAlone(t *testing.T) {
	for in, want := range map[string]string{
		`[1,]`:                  `[1 ]`,
		`{"a":[1,2, ] , }`:      `{"a":[1,2  ]   }`,
		`{"a":",]","b":"\",}"}`: `{"a":",]","b":"\",}"}`,
		`[,]`:                   `[ ]`,
	} {
		if got, _ := withoutTrailingCommas([]byte(in)); string(got) != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func TestMessagesAreWrittenAsJSON(t *testing.T) {
	m := kafka.Message{Topic: "t", Partition: 1, Record: batch.Record{
		Offset: 1 << 60, Timestamp: 5, Key: []byte("a\"\\\n\x00"), Value: []byte("ü\xff<&>\u2028"),
		Headers: []batch.Header{{Key: "k\xfe", Value: nil}},
	}}
	body, err := encode(messages{list: []kafka.Message{m, m}}, edge.Work{})
	if err != nil {
		t.Fatal(err)
	}
	var got []struct {
		Topic, Key, Value string
		Partition         int
		Offset, Timestamp int64
		Headers           []struct{ Key, Value string }
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if g := got[1]; len(got) != 2 || g.Key != "a\"\\\n\x00" || g.Value != "ü\ufffd<&>\u2028" || g.Offset != 1<<60 || g.Headers[0].Key != "k\ufffd" {
		t.Errorf("got %+v", got)
	}
}

func TestWeightIsNeverTooLittle(t *testing.T) {
	for _, value := range []string{"plain", strings.Repeat("\"", 99), strings.Repeat("\x01\\", 99), strings.Repeat("\xff", 99), "ü\u2028日本", "\x7f"} {
		m := kafka.Message{Topic: strings.Repeat("t", 249), Partition: 1 << 30, Record: batch.Record{
			Offset: 1 << 62, Timestamp: 1 << 62, Key: []byte(value), Value: []byte(value), Headers: []batch.Header{{Key: value, Value: []byte(value)}},
		}}
		body, err := encode(messages{list: []kafka.Message{m}}, edge.Work{})
		if err != nil {
			t.Fatal(err)
		}
		outer, err := json.Marshal(string(body))
		if err != nil {
			t.Fatal(err)
		}
		if w := Weigh(&m.Record); w < len(outer)-4 {
			t.Errorf("%.10q: weighs %d, takes %d", value, w, len(outer))
		}
	}
}

func FuzzDecodeProduce(f *testing.F) {
	f.Add([]byte(`[{"topic":"a","value":"b","headers":[{"key":"k","value":"v"},],},]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		ms, _, err := decodeMany[newMessage](&exchange{ctx: context.Background()}, body)
		if err != nil {
			return
		}
		for _, m := range ms {
			if m.Value.given && m.Value.value == nil && !strings.Contains(string(body), "null") {
				t.Errorf("a tombstone out of %q", body)
			}
		}
	})
}
