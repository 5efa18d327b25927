package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll decodes all requests of a stream.
func readAll(src io.Reader, known bool) (all [][]string, err error) {
	r := newReader(src, &bufferPools{})
	r.strange = !known
	for {
		args, ok, err := r.next()
		if err != nil {
			return all, err
		}
		if ok {
			all = append(all, args)
			continue
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && (r.start < r.end || r.part != nil) {
				err = io.ErrUnexpectedEOF
			}
			return all, err
		}
	}
}

// request is a request as clients send it.
func request(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b.String()
}

func TestRequests(t *testing.T) {
	long, many := strings.Repeat("x", 300<<10), make([]string, 30000)
	for i := range many {
		many[i] = fmt.Sprint("element", i)
	}
	for _, tt := range []struct {
		name, in string
		want     [][]string
		err      string
	}{
		{"an array", request("SET", "k", "a\r\nb"), [][]string{{"SET", "k", "a\r\nb"}}, "EOF"},
		{"several", request("GET", "k") + request("GET", "") + "PING\r\n" + request("ECHO", "a"), [][]string{{"GET", "k"}, {"GET", ""}, {"PING"}, {"ECHO", "a"}}, "EOF"},
		{"nothing", "*0\r\n*-1\r\n\r\n   \r\n\n" + request("PING"), [][]string{{"PING"}}, "EOF"},
		{"ends of elements are not looked at", "*1\r\n$4\r\nPINGxy*1\r\n$4\r\nPING\r\n", [][]string{{"PING"}, {"PING"}}, "EOF"},
		{"an empty name", "*1\r\n$0\r\n\r\n", [][]string{{""}}, "EOF"},
		{"a long element", request("SET", "k", long) + request("PING"), [][]string{{"SET", "k", long}, {"PING"}}, "EOF"},
		{"long elements", request("MSET", "k", long, "l", long, "m", "short") + request("PING"), [][]string{{"MSET", "k", long, "l", long, "m", "short"}, {"PING"}}, "EOF"},
		{"many elements", request(many...) + request("PING"), [][]string{many, {"PING"}}, "EOF"},
		{"a line", "set k \"a b\\x41\\n\\\"\" 'it\\'s' c\r\nping\n", [][]string{{"set", "k", "a bA\n\"", "it's", "c"}, {"ping"}}, "EOF"},
		{"quotes within a word", `a"b c"` + "\n", [][]string{{"ab c"}}, "EOF"},
		{"unbalanced quotes", "ping\nset k \"a\nping\n", [][]string{{"ping"}}, "Protocol error: unbalanced quotes in request"},
		{"text behind a quote", "set k \"a\"b\n", nil, "Protocol error: unbalanced quotes in request"},
		{"no count", request("PING") + "*a\r\n", [][]string{{"PING"}}, "Protocol error: invalid multibulk length"},
		{"a blank in a count", "* 1\r\n", nil, "Protocol error: invalid multibulk length"},
		{"a zero before a count", "*01\r\n", nil, "Protocol error: invalid multibulk length"},
		{"too large a count", "*2147483648\r\n", nil, "Protocol error: invalid multibulk length"},
		{"far too large a count", "*99999999999999999999\r\n", nil, "Protocol error: invalid multibulk length"},
		{"no bulk string", "*1\r\n+PING\r\n", nil, "Protocol error: expected '$', got '+'"},
		{"no length", "*1\r\n$a\r\n", nil, "Protocol error: invalid bulk length"},
		{"a negative length", "*1\r\n$-1\r\n", nil, "Protocol error: invalid bulk length"},
		{"too large a length", "*2\r\n$3\r\nGET\r\n$536870912\r\n", nil, "Protocol error: invalid bulk length"},
		{"an endless count", "*1" + strings.Repeat("1", 70<<10), nil, "Protocol error: too big mbulk count string"},
		{"an endless length", "*1\r\n$" + strings.Repeat("1", 70<<10), nil, "Protocol error: too big bulk count string"},
		{"an endless line", strings.Repeat("a", 70<<10), nil, "Protocol error: too big inline request"},
		{"HTTP", "POST / HTTP/1.1\r\nHost: a\r\n", nil, errHTTP.Error()},
		{"HTTP, later on", "GET / HTTP/1.1\r\nHost: a\r\n", [][]string{{"GET", "/", "HTTP/1.1"}}, errHTTP.Error()},
		{"TLS", "\x16\x03\x01", nil, errTLS.Error()},
		{"a request cut off", "*2\r\n$3\r\nGET\r\n", nil, "unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			readers := map[string]io.Reader{
				"at once":     strings.NewReader(tt.in),
				"with an end": iotest.DataErrReader(strings.NewReader(tt.in)),
			}
			if len(tt.in) < 1000 {
				readers["byte by byte"] = iotest.OneByteReader(strings.NewReader(tt.in))
				for i := range tt.in {
					readers[fmt.Sprint("cut at ", i)] = io.MultiReader(strings.NewReader(tt.in[:i]), strings.NewReader(tt.in[i:]))
				}
			}
			for how, src := range readers {
				got, err := readAll(src, true)
				if !slices.EqualFunc(got, tt.want, slices.Equal[[]string]) {
					t.Errorf("%s: got %.300q, want %.300q", how, got, tt.want)
				}
				if err == nil || err.Error() != tt.err {
					t.Errorf("%s: %v, want %s", how, err, tt.err)
				}
			}
		})
	}
}

func TestStrangersSendLittle(t *testing.T) {
	for in, want := range map[string]string{
		request("HELLO", "3", "AUTH", "default", strings.Repeat("x", 16<<10)): "EOF",
		request(strings.Fields("1 2 3 4 5 6 7 8 9 10 11")...):                 "Protocol error: unauthenticated multibulk length",
		request("AUTH", strings.Repeat("x", 16<<10+1)):                        "Protocol error: unauthenticated bulk length",
		"1 2 3 4 5 6 7 8 9 10 11\n":                                           "Protocol error: unauthenticated multibulk length",
	} {
		if _, err := readAll(strings.NewReader(in), false); err.Error() != want {
			t.Errorf("%.50q: %v, want %s", in, err, want)
		}
	}
}

// A client announces much and sends little.
func TestAnnouncementsTakeNoMemory(t *testing.T) {
	in := "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10485760\r\nabc"
	if n := testing.AllocsPerRun(1, func() { _, _ = readAll(strings.NewReader(in), true) }); n > 50 {
		t.Errorf("%v allocations", n)
	}
	r := newReader(strings.NewReader(in), &bufferPools{})
	r.strange = false
	for r.fill() == nil {
		if _, _, err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	if r.part == nil || cap(r.part.bulk) > bulkAhead {
		t.Errorf("%d bytes were made room for", cap(r.part.bulk))
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{request("SET", "k", "v"), "*0\r\nPING\r\n", "*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET", "a \"b\" 'c'\n", request("MSET", "k", strings.Repeat("v", 70<<10), "l", "w")} {
		f.Add([]byte(seed), uint16(1))
		f.Add([]byte(seed), uint16(5))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		want, wantErr := readAll(bytes.NewReader(in), true)
		parts := []io.Reader{}
		for rest := in; len(rest) > 0; {
			n := min(len(rest), int(cut)+1)
			parts = append(parts, bytes.NewReader(rest[:n]))
			rest = rest[n:]
		}
		got, err := readAll(io.MultiReader(parts...), true)
		if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Fatalf("in parts of %d: %q, at once %q", int(cut)+1, got, want)
		}
		var a, b protocolError
		if errors.As(err, &a) != errors.As(wantErr, &b) {
			t.Fatalf("in parts of %d: %v, at once %v", int(cut)+1, err, wantErr)
		}
		for _, args := range want {
			again, err := readAll(strings.NewReader(request(args...)), true)
			if err != io.EOF || len(again) != 1 || !slices.Equal(again[0], args) {
				t.Fatalf("%q is read back as %q, %v", args, again, err)
			}
		}
	})
}
