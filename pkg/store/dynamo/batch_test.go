package dynamo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
)

// leave is a fault that answers that everything, or all but the first, was not processed.
func leave(field string, keepFirst bool) fault {
	return func(r *http.Request, forward func() (*http.Response, error)) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		var in struct{ RequestItems map[string]json.RawMessage }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		rest := map[string]json.RawMessage{}
		for table, raw := range in.RequestItems {
			first, others, err := split(raw, keepFirst)
			if err != nil {
				return nil, err
			}
			in.RequestItems[table], rest[table] = first, others
		}
		out := map[string]any{}
		if keepFirst {
			sub, err := json.Marshal(in)
			if err != nil {
				return nil, err
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(sub)), int64(len(sub))
			resp, err := forward()
			if err != nil {
				return nil, err
			}
			defer resp.Body.Close()
			if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
				return nil, err
			}
		}
		out[field] = rest
		answer, err := json.Marshal(out)
		return &http.Response{
			StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{},
			Body: io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer)),
		}, err
	}
}

// split takes the first key, or write, off the part of a batch for one table.
func split(raw json.RawMessage, off bool) (first, others json.RawMessage, err error) {
	if !off {
		return nil, raw, nil
	}
	var writes []json.RawMessage
	if json.Unmarshal(raw, &writes) == nil {
		first, err = json.Marshal(writes[:1])
		if err != nil {
			return nil, nil, err
		}
		others, err = json.Marshal(writes[1:])
		return first, others, err
	}
	var gets struct {
		Keys           []json.RawMessage
		ConsistentRead bool
	}
	if err := json.Unmarshal(raw, &gets); err != nil {
		return nil, nil, err
	}
	all := gets.Keys
	gets.Keys = all[:1]
	if first, err = json.Marshal(gets); err != nil {
		return nil, nil, err
	}
	gets.Keys = all[1:]
	others, err = json.Marshal(gets)
	return first, others, err
}

func TestUnprocessedKeysAreAskedForAgain(t *testing.T) {
	r := newRig(t)
	var keys []store.Key
	for i := range 5 {
		keys = append(keys, key(fmt.Sprint(i)))
		if _, err := r.store.Apply(t.Context(), store.Put(keys[i], store.NewAttrs(store.Attr{Name: "n", Value: store.Int(int64(i))}), nil)); err != nil {
			t.Fatal(err)
		}
	}
	r.script(leave("UnprocessedKeys", false), leave("UnprocessedKeys", true), leave("UnprocessedKeys", true), throttle)
	var meter store.Meter
	found, err := r.store.GetMany(store.WithMeter(t.Context(), &meter), keys, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, as := range found {
		if as.Get("n").Num() != int64(i) || as == nil {
			t.Errorf("entry %d is %v", i, as)
		}
	}
	if u := meter.Total(); u != (store.Usage{Calls: 5, ReadUnits: 5}) {
		t.Errorf("usage %+v", u)
	}
	r.script(repeat(leave("UnprocessedKeys", false), dynamo.MaxAttempts)...)
	if _, err := r.store.GetMany(t.Context(), keys, false); !errors.Is(err, store.ErrThrottled) {
		t.Errorf("never processed: %v", err)
	}
}

func TestUnprocessedWritesAreSentAgain(t *testing.T) {
	r := newRig(t)
	var puts []store.Item
	for i := range 30 {
		puts = append(puts, store.Item{Key: key(fmt.Sprint(i)), Attrs: store.Attrs{}})
	}
	r.script(leave("UnprocessedItems", false), leave("UnprocessedItems", true), leave("UnprocessedItems", true), throttle)
	if err := r.store.Load(t.Context(), puts, nil); err != nil {
		t.Fatal(err)
	}
	r.script()
	p, err := r.store.Query(t.Context(), store.Query{Partition: "partition"})
	if err != nil || p.Count != 30 {
		t.Errorf("%d items, error %v", p.Count, err)
	}
	r.script(repeat(leave("UnprocessedItems", false), 2*dynamo.MaxAttempts)...)
	if err := r.store.Load(t.Context(), puts, nil); !errors.Is(err, store.ErrThrottled) {
		t.Errorf("never processed: %v", err)
	}
}
