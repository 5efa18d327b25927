package console

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/skystash/skystash/pkg/redis/cli"
)

// Formats in which forms send values.
const (
	formatText    = "text"    // as it is
	formatEscaped = "escaped" // with a backslash in front of \n, \r, \xHH and itself
)

// preview is a value of any bytes as a page shows it.
type preview struct {
	Text string
	Kind string // "text", "json" (Text is indented) or "binary" (Text is a dump)
	Size int64
	Cut  bool // Text is only its beginning
}

// previewOf shows at most limit bytes of a value.
func previewOf(value string, limit int) preview {
	p := preview{Kind: "text", Size: int64(len(value)), Cut: len(value) > limit}
	if !p.Cut && looksLikeJSON(value) {
		var out bytes.Buffer
		if json.Indent(&out, []byte(value), "", "  ") == nil {
			p.Kind, p.Text = "json", out.String()
			return p
		}
	}
	head := clip(value, limit)
	if printable(head) {
		p.Text = head
		return p
	}
	p.Kind, p.Cut = "binary", len(value) > min(limit, maxDump)
	p.Text = hex.Dump([]byte(value[:min(len(value), limit, maxDump)]))
	return p
}

// maxDump bounds the bytes of a dump, which is four times as long.
const maxDump = 4 << 10

// looksLikeJSON reports whether a value may be an object or an array.
func looksLikeJSON(s string) bool {
	s = strings.TrimSpace(s)
	return len(s) > 1 && (s[0] == '{' && s[len(s)-1] == '}' || s[0] == '[' && s[len(s)-1] == ']')
}

// clip shortens a text, not within a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// printable reports whether a value is text that people can read.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r != '\n' && r != '\t' && r != '\r' && !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) && r != '\u200d' && r != '\ufe0f' {
			return false
		}
	}
	return true
}

// line shows a value in one line of a table.
func line(value string) string {
	const limit = 160
	head := clip(value, limit)
	if !printable(head) || strings.ContainsAny(head, "\n\r\t") {
		head = cli.Escape(head)
	}
	if len(value) > limit {
		head += "…"
	}
	return head
}

// editable returns a value as a form shows it, and the format. A value with a CR is shown escaped:
// browsers change line ends, and a text is saved with LF.
func editable(value string) (text, format string) {
	if printable(value) && !strings.Contains(value, "\r") {
		return value, formatText
	}
	return cli.Escape(value), formatEscaped
}

// edited is a value that a form has sent.
func (r *request) edited(name string) string {
	text := strings.ReplaceAll(r.PostForm.Get(name), "\r\n", "\n")
	if r.form("format") == formatEscaped {
		return cli.Unescape(strings.ReplaceAll(text, "\n", ""))
	}
	return text
}
