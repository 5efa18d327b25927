package differential

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// reply is one reply in RESP2's types: '+' simple string, '-' error, ':' integer,
// '$' bulk string, '*' array, '_' null bulk string, 'N' null array.
type reply struct {
	kind  byte
	text  string // of +, -, $; the digits of :
	elems []reply
}

func (r reply) isError() bool { return r.kind == '-' }

func (r reply) num() int64 {
	n, _ := strconv.ParseInt(r.text, 10, 64)
	return n
}

func (r reply) String() string {
	switch r.kind {
	case '_':
		return "(nil)"
	case 'N':
		return "(nil array)"
	case '+', ':':
		return string(r.kind) + r.text
	case '-':
		return "(error) " + r.text
	case '$':
		return strconv.Quote(clip(r.text))
	}
	var b strings.Builder
	b.WriteByte('[')
	for i, e := range r.elems {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i == 40 {
			fmt.Fprintf(&b, "... %d in all", len(r.elems))
			break
		}
		b.WriteString(e.String())
	}
	b.WriteByte(']')
	return b.String()
}

func clip(s string) string {
	if len(s) > 120 {
		return fmt.Sprintf("%s...(%d bytes)", s[:100], len(s))
	}
	return s
}

// texts are the texts of an array's members.
func (r reply) texts() []string {
	out := make([]string, len(r.elems))
	for i, e := range r.elems {
		out[i] = e.text
	}
	return out
}

// readReply reads one RESP2 reply.
func readReply(r *bufio.Reader) (reply, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return reply{}, err
	}
	if len(line) < 3 {
		return reply{}, fmt.Errorf("reply line %q", line)
	}
	kind, text := line[0], line[1:len(line)-2]
	switch kind {
	case '+', '-', ':':
		return reply{kind: kind, text: text}, nil
	case '$', '*':
	default:
		return reply{}, fmt.Errorf("reply line %q is not RESP2", line)
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return reply{}, fmt.Errorf("reply line %q: %w", line, err)
	case n < 0 && kind == '$':
		return reply{kind: '_'}, nil
	case n < 0:
		return reply{kind: 'N'}, nil
	case kind == '$':
		buf := make([]byte, n+2)
		if _, err := io.ReadFull(r, buf); err != nil {
			return reply{}, err
		}
		return reply{kind: '$', text: string(buf[:n])}, nil
	}
	arr := reply{kind: '*', elems: make([]reply, n)}
	for i := range arr.elems {
		if arr.elems[i], err = readReply(r); err != nil {
			return reply{}, err
		}
	}
	return arr, nil
}
