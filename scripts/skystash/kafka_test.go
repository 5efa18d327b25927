package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestKafkaTopicsMove(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
	dev(t, from)
	dev(t, to)
	var f endpointFlags
	f.data = from
	k, err := f.kafka("", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, partitions := range map[string]int{"orders": 3, "empty": 1} {
		if err := k.create(t.Context(), kafkaTopic{name, partitions}); err != nil {
			t.Fatal(err)
		}
	}
	var batch []string
	for range 600 { // more than a request has
		batch = append(batch, `{"topic":"orders","partition":1,"value":"/wA=","timestamp":1767225600123}`)
	}
	batch = append(batch, `{"topic":"orders","partition":2,"key":"a2V5","value":null,"headers":[{"key":"h","value":"djE="},{"key":"h","value":"djI="}]}`)
	if _, err := k.call(t.Context(), http.MethodPost, "/produce", anyBytes, []byte("["+strings.Join(batch, ",")+"]")); err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	run := func(want string, args ...string) {
		t.Helper()
		if status, _, notes := skystash(t, "", args...); status != 0 || !strings.Contains(notes, want) {
			t.Fatalf("%q: status %d, %s; want %q", args, status, notes, want)
		}
	}
	first, second := filepath.Join(files, "first"), filepath.Join(files, "second")
	run("exported 2 topics, 601 messages", "export", "kafka", "--data", from, "--out", first)
	run("imported 2 topics, 601 messages", "import", "kafka", "--from", first, "--data", to)
	run("exported 2 topics, 601 messages", "export", "kafka", "--data", to, "--out", second)
	read := func(file string) (lines []string) {
		if err := readLines(file, func(line exportLine) error {
			text, err := json.Marshal(line)
			lines = append(lines, string(text))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return lines
	}
	a, b := read(first), read(second)
	if !slices.Equal(a, b) {
		t.Errorf("%d lines and %d; the last are\n%s\n%s", len(a), len(b), a[len(a)-1], b[len(b)-1])
	}
	if last := a[len(a)-1]; !strings.Contains(last, `"value":null`) || !strings.Contains(last, `"key":"a2V5"`) {
		t.Error(last)
	}
}
