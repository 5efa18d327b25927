package cli

import (
	"errors"
	"strings"
)

// ErrQuotes refuses a line with a quote that is not closed, or with text right behind
// a closing quote.
var ErrQuotes = errors.New("unbalanced quotes")

// Split splits a line into a command's arguments. Blanks separate them. Within double
// quotes, \n \r \t \b \a and \xHH stand for bytes and a backslash takes the character
// behind it as it is; within single quotes, only \' does. An argument ends at its
// closing quote.
func Split(line string) ([]string, error) {
	var args []string
	for i := 0; ; {
		for i < len(line) && isBlank(line[i]) {
			i++
		}
		if i == len(line) {
			return args, nil
		}
		arg, next, err := argument(line, i)
		if err != nil {
			return nil, err
		}
		args, i = append(args, arg), next
	}
}

// argument reads the argument that begins at i, and returns where it ends.
func argument(line string, i int) (arg string, end int, err error) {
	var b strings.Builder
	for ; i < len(line) && !isBlank(line[i]); i++ {
		c := line[i]
		if c != '"' && c != '\'' {
			b.WriteByte(c)
			continue
		}
		if i, err = quoted(&b, line, i); err != nil {
			return "", 0, err
		}
		return b.String(), i, nil
	}
	return b.String(), i, nil
}

// quoted reads from a quote at i to the one that closes it, and returns the place behind.
func quoted(b *strings.Builder, line string, i int) (end int, err error) {
	quote := line[i]
	for i++; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			if i++; i < len(line) && !isBlank(line[i]) {
				return 0, ErrQuotes
			}
			return i, nil
		case c != '\\' || i+1 == len(line):
			b.WriteByte(c)
		case quote == '\'':
			if line[i+1] == '\'' {
				i++
			}
			b.WriteByte(line[i])
		default:
			n := escape(b, line[i+1:])
			i += n
		}
	}
	return 0, ErrQuotes
}

// escape writes what the text behind a backslash stands for, and returns how much of it was read.
func escape(b *strings.Builder, s string) int {
	switch s[0] {
	case 'x':
		if len(s) > 2 {
			if hi, lo := hexDigit(s[1]), hexDigit(s[2]); hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				return 3
			}
		}
		b.WriteByte('x')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'b':
		b.WriteByte('\b')
	case 'a':
		b.WriteByte('\a')
	default:
		b.WriteByte(s[0])
	}
	return 1
}

// Unescape reads what Escape has written: text in which a backslash begins the
// escapes of double quotes.
func Unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i += escape(&b, s[i+1:])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// isBlank reports whether a byte separates arguments, as C's isspace and NUL do.
func isBlank(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r' || c == 0
}
