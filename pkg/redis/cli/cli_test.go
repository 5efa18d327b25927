package cli_test

import (
	"bytes"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/cli"
	"github.com/skystash/skystash/pkg/redis/resp"
)

func TestLinesAreSplitAsRedisCLIDoes(t *testing.T) {
	for name, tt := range map[string]struct {
		line string
		want []string
	}{
		"blanks separate":                  {"  set\tk   v ", []string{"set", "k", "v"}},
		"nothing":                          {" \n ", nil},
		"double quotes hold blanks":        {`set "a b" ""`, []string{"set", "a b", ""}},
		"escapes stand for bytes":          {`"\x00\xFf\n\r\t\a\b\\\"\q"`, []string{"\x00\xff\n\r\t\a\b\\\"q"}},
		"half an escape is a letter":       {`"\x1"`, []string{"x1"}},
		"single quotes are literal":        {`'a\n\'b"'`, []string{`a\n'b"`}},
		"quotes may begin within":          {`a"b c"`, []string{"ab c"}},
		"a backslash outside is literal":   {`a\nb`, []string{`a\nb`}},
		"characters beyond ASCII are text": {"set naïve 日本", []string{"set", "naïve", "日本"}},
	} {
		got, err := cli.Split(tt.line)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q gives %q, %v; want %q", name, tt.line, got, err, tt.want)
		}
	}
	for _, line := range []string{`get "a`, `get 'a`, `get "a"b`, `get 'a'b`, `get "a\`, `"a""b"`} {
		if got, err := cli.Split(line); err == nil {
			t.Errorf("%q is accepted as %q", line, got)
		}
	}
}

func TestRepliesAreWrittenAsRedisCLIDoes(t *testing.T) {
	for name, tt := range map[string]struct {
		write func(w *resp.Writer)
		want  string
	}{
		"status":    {func(w *resp.Writer) { w.OK() }, "OK\n"},
		"error":     {func(w *resp.Writer) { w.Error("ERR no") }, "(error) ERR no\n"},
		"integer":   {func(w *resp.Writer) { w.Int(-7) }, "(integer) -7\n"},
		"boolean":   {func(w *resp.Writer) { w.Bool(true) }, "(integer) 1\n"},
		"string":    {func(w *resp.Writer) { w.Bulk("a \"b\"\x00\n\\é") }, `"a \"b\"\x00\n\\é"` + "\n"},
		"no UTF-8":  {func(w *resp.Writer) { w.Bulk("\xff\xc3x") }, `"\xff\xc3x"` + "\n"},
		"double":    {func(w *resp.Writer) { w.Double(1.5) }, "\"1.5\"\n"},
		"null":      {func(w *resp.Writer) { w.Null() }, "(nil)\n"},
		"null list": {func(w *resp.Writer) { w.NullArray() }, "(nil)\n"},
		"empty":     {func(w *resp.Writer) { w.Set(0) }, "(empty array)\n"},
		"map":       {func(w *resp.Writer) { w.Map(1); w.Bulk("f"); w.Int(1) }, "1) \"f\"\n2) (integer) 1\n"},
		"nested": {func(w *resp.Writer) {
			w.Array(10)
			for range 9 {
				w.Array(2)
				w.Int(1)
				w.Array(1)
				w.Bulk("x")
			}
			w.Null()
		}, strings.Repeat(" #) 1) (integer) 1\n    2) 1) \"x\"\n", 9) + "10) (nil)\n"},
	} {
		var w resp.Writer
		tt.write(&w)
		got, cut := cli.Format(w.Buf, 1<<20)
		for i := range 9 {
			tt.want = strings.Replace(tt.want, "#", string(rune('1'+i)), 1)
		}
		if got != tt.want || cut {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, tt.want)
		}
	}
}

func TestLargeRepliesAreCutOff(t *testing.T) {
	var w resp.Writer
	w.Array(2)
	w.Array(1000)
	for range 1000 {
		w.Bulk("element")
	}
	w.Bulk("last")
	got, cut := cli.Format(w.Buf, 100)
	if !cut || len(got) > 200 || !strings.Contains(got, "and 99") || !strings.Contains(got, "... and 1 more\n") {
		t.Errorf("cut %v: %s", cut, got)
	}
	w.Reset()
	w.Bulk(strings.Repeat("é", 1000))
	if got, cut := cli.Format(w.Buf, 101); !cut || got != `"`+strings.Repeat("é", 50)+`"... and 1900 bytes more`+"\n" {
		t.Errorf("cut %v: %s", cut, got)
	}
}

func TestQuotedArgumentsReadBack(t *testing.T) {
	args := []string{"", "plain", "a b", `"`, `'`, "\x00\xff", `\`, `\x41`, "naïve", "line\nline", "\u00a0", "\u0085"}
	got, err := cli.Split(cli.Join(args))
	if err != nil || !slices.Equal(got, args) {
		t.Errorf("%s gives %q, %v", cli.Join(args), got, err)
	}
	for _, a := range args {
		if got := cli.Unescape(cli.Escape(a)); got != a {
			t.Errorf("%q, escaped as %s, reads back as %q", a, cli.Escape(a), got)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a b\x00")
	f.Fuzz(func(t *testing.T, arg string) {
		got, err := cli.Split(cli.Quote(arg))
		if err != nil || len(got) != 1 || got[0] != arg {
			t.Errorf("%q is quoted as %s, which reads as %q, %v", arg, cli.Quote(arg), got, err)
		}
		if got := cli.Unescape(cli.Escape(arg)); got != arg {
			t.Errorf("%q reads back as %q", arg, got)
		}
	})
}

// The real redis-cli splits lines and shows replies in the same way.
func TestRedisCLIAgrees(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	server := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	conn := dial(t, socket)
	lines := []string{
		`set "a b" "x\ty\x00z\a\\ \"q\""`, `get "a b"`, `get 'a b'`, `rpush l a b c d e f g h i j k`, `lrange l 0 -1`,
		`eval "return {1,{2,3,{'x','y'}},false,{},{ok='fine'},{err='ERR bad'}}" 0`, `get l`, `get none`, `mget none none`,
		`xadd s 1-1 f v`, `xrange s - +`, `hset h f v`, `hgetall h`, `zadd z 1.5 m`, `zrange z 0 -1 withscores`,
	}
	for _, line := range lines {
		args, err := cli.Split(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got, _ := cli.Format(roundTrip(t, conn, args), 1<<20)
		if writes := args[0] == "rpush" || args[0] == "xadd" || args[0] == "hset" || args[0] == "zadd"; writes {
			continue // once is enough
		}
		real := exec.Command("redis-cli", "--no-raw", "-s", socket)
		real.Stdin = strings.NewReader(line + "\n")
		want, err := real.Output()
		if err != nil || got != string(want) {
			t.Errorf("%s:\n%swant\n%s%v", line, got, want, err)
		}
	}
}

func dial(t *testing.T, socket string) net.Conn {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); ; {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// roundTrip sends a command and returns its reply, in our writer's form of the nulls.
func roundTrip(t *testing.T, conn net.Conn, args []string) []byte {
	t.Helper()
	var w resp.Writer
	w.Strings(args)
	if _, err := conn.Write(w.Buf); err != nil {
		t.Fatal(err)
	}
	var reply []byte
	for buf := make([]byte, 64<<10); ; {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		reply = append(reply, buf[:n]...)
		ours := bytes.ReplaceAll(bytes.ReplaceAll(reply, []byte("$-1\r\n"), []byte("_\r\n")), []byte("*-1\r\n"), []byte("N\r\n"))
		if resp.Check(ours) == nil {
			return ours
		}
	}
}
