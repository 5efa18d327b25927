package server_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skystash/skystash/scripts/local/server"
)

// leave sends a request and closes the connection without waiting for the answer.
func leave(t *testing.T, m *server.Main, path, authorization, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(m.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w := bufio.NewWriter(conn)
	fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s", path, authorization, len(body), body)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsTakenForAClientThatHasGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m, _ := start(t, "-data", dir, "-topics", "red")
	leave(t, m, "/", "Bearer "+m.Token(), `["BLPOP","l","5"]`)
	wantAnswer(t, call(t, m, m.Token(), "/rpush/l/v"), `{"result":1}`)
	wantAnswer(t, call(t, m, m.Token(), "/blpop/l/5"), `{"result":["l","v"]}`)

	env := environment(t, dir)
	user := env["UPSTASH_KAFKA_REST_USERNAME"] + ":" + env["UPSTASH_KAFKA_REST_PASSWORD"]
	const consume = `{"topic":"red","timeout":5000}`
	kafka(t, dir, http.MethodPost, "/consume/group/one", `{"topic":"red","timeout":1}`) // from now on, the group has a position
	leave(t, m, "/kafka/consume/group/one", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)), consume)
	kafka(t, dir, http.MethodPost, "/produce/red/message", "")
	if got := kafka(t, dir, http.MethodPost, "/consume/group/one", consume); !strings.Contains(got, `"message"`) {
		t.Errorf("the next client is answered %s", got)
	}
}
