package resp

import (
	"errors"
	"strings"
	"testing"
)

func TestRESP3(t *testing.T) {
	for _, tt := range []struct {
		reply any
		want  string
	}{
		{nil, "_|"},
		{[]any(nil), "_|"},
		{Simple("OK"), "+OK|"},
		{"a", "$1|a|"},
		{1.5, ",1.5|"},
		{true, ":1|"},
		{Map{"f", "v"}, "%1|$1|f|$1|v|"},
		{Map{}, "%0|"},
		{Set{"a"}, "~1|$1|a|"},
		{Text("a: 1"), "=8|txt:a: 1|"},
		{Pairs{"a", 1.0, "b", 2.5}, "*2|*2|$1|a|,1|*2|$1|b|,2.5|"},
		{Pairs{}, "*0|"},
		{Rows{[]any{"s", []any{[]any{"1-1", []any{"f", "v"}}}}}, "%1|$1|s|*1|*2|$3|1-1|*2|$1|f|$1|v|"},
		{[]any{Pairs{"a", nil}, Rows{[]any{"k", Set{}}}}, "*2|*1|*2|$1|a|_|%1|$1|k|~0|"},
		{[]any{Error("ERR x"), []any(nil)}, "*2|-ERR x|_|"},
	} {
		got, err := AppendAllRESP3([]byte("before "), append(encoded(tt.reply), "+NEXT\r\n"...))
		if want := "before " + strings.ReplaceAll(tt.want, "|", "\r\n") + "+NEXT\r\n"; err != nil || string(got) != want {
			t.Errorf("%#v: got %q, %v, want %q", tt.reply, got, err, want)
		}
	}
	for _, bad := range []string{"R1\r\n+a\r\n", "R1\r\n*1\r\n+a\r\n", "P1\r\n+a\r\n", "*1\r\n", "=3\r\nab\r\n", string(nested(MaxDepth + 1))} {
		if got, err := AppendAllRESP3([]byte("x"), []byte(bad)); !errors.Is(err, ErrMalformed) || string(got) != "x" {
			t.Errorf("%.50q: %q, %v", bad, got, err)
		}
	}
}
