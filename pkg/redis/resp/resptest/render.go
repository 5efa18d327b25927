package resptest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// Render shows a reply as tests compare it: "v", (integer) 1, (nil), OK, (error) ERR ..., [a b], with maps and sets
// as arrays and doubles as bare numbers.
func Render(t testing.TB, reply []byte) string {
	t.Helper()
	all := RenderAll(t, reply)
	if len(all) != 1 {
		t.Fatalf("%d replies instead of one: %.1000q", len(all), reply)
	}
	return all[0]
}

// RenderAll is Render for several replies.
func RenderAll(t testing.TB, replies []byte) []string {
	t.Helper()
	var all []string
	for rest := string(replies); rest != ""; {
		var out strings.Builder
		rest = renderOne(t, rest, &out)
		all = append(all, out.String())
	}
	return all
}

// renderOne renders the first of several replies and returns those behind it.
func renderOne(t testing.TB, replies string, out *strings.Builder) (rest string) {
	t.Helper()
	line, rest, ok := strings.Cut(replies, "\r\n")
	if !ok || line == "" {
		t.Fatalf("malformed reply %.1000q", replies)
	}
	arg := line[1:]
	n, _ := strconv.Atoi(arg)
	switch line[0] {
	case resp.TypeSimple, resp.TypeDouble, resp.TypeBool:
		out.WriteString(arg)
		return rest
	case resp.TypeError:
		out.WriteString("(error) " + arg)
		return rest
	case resp.TypeInt:
		out.WriteString("(integer) " + arg)
		return rest
	case resp.TypeNull, resp.TypeNullArr:
		out.WriteString("(nil)")
		return rest
	case resp.TypeBulk, resp.TypeVerbatim:
		out.WriteString(strconv.Quote(rest[:n]))
		return rest[n+2:]
	case resp.TypeMap, resp.TypePairs:
		n *= 2
	case resp.TypeArray, resp.TypeSet, resp.TypeRows:
	default:
		t.Fatalf("unknown type in reply %.1000q", replies)
	}
	out.WriteByte('[')
	for i := range n {
		if i > 0 {
			out.WriteByte(' ')
		}
		rest = renderOne(t, rest, out)
	}
	out.WriteByte(']')
	return rest
}
