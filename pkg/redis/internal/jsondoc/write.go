package jsondoc

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Format says how JSON text is laid out. The zero Format has no blanks.
type Format struct {
	Indent  string // in front of each line, once per level
	Newline string // in front of each element, member and closing bracket
	Space   string // behind the colon of a member

	// Limit, if it is not 0, is a length beyond which nothing more is worth appending:
	// what comes then is incomplete.
	Limit int
}

// AppendTo appends the value as JSON text without blanks.
func (v *Value) AppendTo(dst []byte) []byte { return v.AppendAt(dst, Format{}, 0) }

// TextLen is the length of the JSON text, in bytes, that AppendTo appends.
func (v *Value) TextLen() int {
	switch v.kind {
	case Null:
		return len("null")
	case String:
		return quotedSize(v.text)
	case Array, Object:
		n := 2 + max(len(v.sub.items)-1, 0)
		for i := range v.sub.items {
			n += v.sub.items[i].TextLen()
		}
		for _, name := range v.sub.names {
			n += quotedSize(name) + 1
		}
		return n
	}
	return len(v.text)
}

func (v *Value) append(dst []byte, f *Format, level int) []byte {
	switch v.kind {
	case Null:
		return append(dst, "null"...)
	case String:
		return appendQuoted(dst, v.text)
	case Array:
		dst = append(dst, '[')
		for i := range v.sub.items {
			if f.full(dst) {
				return dst
			}
			dst = f.item(dst, i, level+1)
			dst = v.sub.items[i].append(dst, f, level+1)
		}
		return append(f.end(dst, len(v.sub.items), level), ']')
	case Object:
		dst = append(dst, '{')
		for i, name := range v.sub.names {
			if f.full(dst) {
				return dst
			}
			dst = f.name(dst, i, level+1, name)
			dst = v.sub.items[i].append(dst, f, level+1)
		}
		return append(f.end(dst, len(v.sub.items), level), '}')
	}
	return append(dst, v.text...)
}

// AppendAt appends the value as JSON text that lies in a number of containers.
func (v *Value) AppendAt(dst []byte, f Format, level int) []byte { return v.append(dst, &f, level) }

// AppendMatches appends the values as a JSON array.
func AppendMatches(dst []byte, f Format, level int, matches []Match) []byte {
	dst = append(dst, '[')
	for i, m := range matches {
		if f.full(dst) {
			return dst
		}
		dst = f.item(dst, i, level+1)
		dst = m.Value.append(dst, &f, level+1)
	}
	return append(f.end(dst, len(matches), level), ']')
}

// AppendByPath appends a JSON object whose members are written by a function, given
// their number.
func AppendByPath(dst []byte, f Format, names []string, member func(dst []byte, i int) []byte) []byte {
	dst = append(dst, '{')
	for i, name := range names {
		dst = member(f.name(dst, i, 1, name), i)
	}
	return append(f.end(dst, len(names), 0), '}')
}

func (f *Format) full(dst []byte) bool { return f.Limit > 0 && len(dst) > f.Limit }

// item begins the element of an index.
func (f *Format) item(dst []byte, i, level int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return f.line(dst, level)
}

// name begins the member of an index.
func (f *Format) name(dst []byte, i, level int, name string) []byte {
	dst = append(appendQuoted(f.item(dst, i, level), name), ':')
	return append(dst, f.Space...)
}

// end ends a container with n items.
func (f *Format) end(dst []byte, n, level int) []byte {
	if n == 0 {
		return dst
	}
	return f.line(dst, level)
}

func (f *Format) line(dst []byte, level int) []byte {
	dst = append(dst, f.Newline...)
	if f.Indent != "" {
		for range level {
			if f.full(dst) {
				return dst
			}
			dst = append(dst, f.Indent...)
		}
	}
	return dst
}

func appendQuoted(dst []byte, s string) []byte {
	if plain(s) {
		dst = slices.Grow(dst, len(s)+2)
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	dst, _ = jsontext.AppendQuote(dst, s) // the error would be about UTF-8, which Parse and ParsePath have checked
	return dst
}

// quotedSize is how many bytes appendQuoted appends.
func quotedSize(s string) int {
	n := 2 + len(s)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\', '\b', '\f', '\n', '\r', '\t':
			n++
		default:
			if c < ' ' {
				n += len(`u00`) + 2
			}
		}
	}
	return n
}

// plain reports whether a string needs no escapes.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
