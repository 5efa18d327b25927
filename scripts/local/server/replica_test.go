package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestReplicaIsServedAsAReadRegion(t *testing.T) {
	m, stop := start(t, "-ephemeral", "-replica", "127.0.0.1:0", "-replica-lag", "20ms")
	send := func(url, path string) (body, syncToken string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+m.Token())
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text)), answer.Header.Get("Upstash-Sync-Token")
	}
	for i := range 20 {
		set, get, want := fmt.Sprint("/set/k/", i), "/get/k", fmt.Sprintf(`{"result":"%d"}`, i)
		if body, token := send(m.ReplicaURL(), set); body != `{"result":"OK"}` || !strings.HasSuffix(token, ".replica") {
			t.Fatalf("%s: %s with sync token %q", set, body, token)
		}
		for _, url := range []string{m.ReplicaURL(), m.URL()} {
			if body, _ := send(url, get); body != want {
				t.Errorf("right after %s: %s", set, body)
			}
		}
	}
	// What is written elsewhere arrives.
	send(m.URL(), "/set/other/v")
	deadline := time.Now().Add(5 * time.Minute)
	for {
		body, _ := send(m.ReplicaURL(), "/get/other")
		if body == `{"result":"v"}` {
			break
		}
		if body != `{"result":null}` || time.Now().After(deadline) {
			t.Fatalf("in the read region: %s", body)
		}
	}
	stop()
	if _, err := http.Get(m.ReplicaURL()); err == nil {
		t.Error("the read region is still served")
	}
}
