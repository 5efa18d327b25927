package server

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// bodyShown is how much of a command's body is looked at, in bytes: enough for its name and a key.
	bodyShown = 256

	// wordShown is how much of a word is printed, in characters.
	wordShown = 48
)

// answered is a request over HTTP that has its answer.
type answered struct {
	product string
	what    string
	status  int
	began   time.Time
}

// request takes a request.
func (d *activity) request(r answered) {
	now := d.now()
	shown, hidden := d.requests.add(now)
	if hidden > 0 {
		d.put(fmt.Sprintf("… and %d more requests in that second", hidden))
	}
	if shown {
		outcome := fmt.Sprintf("%d in %s", r.status, rounded(now.Sub(r.began)))
		product, _, _ := strings.Cut(r.product, ",") // of "Kafka, over REST and natively"
		d.put(fmt.Sprintf("%s  %-7s %s  %s", r.began.Format(time.TimeOnly), product, r.what, d.paint(moodOf(r.status), outcome)))
	}
}

// firstBytes remembers the beginning of what is read through it.
type firstBytes struct {
	io.Reader
	first []byte
}

func (f *firstBytes) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if room := bodyShown - len(f.first); room > 0 {
		f.first = append(f.first, p[:min(n, room)]...)
	}
	return n, err
}

// commandShown is what is printed of a request to Redis: the name of its command and its first argument, which
// is a key as a rule. Values are left out.
func commandShown(path string, body []byte) string {
	var words []string
	several := false
	switch trimmed := strings.Trim(path, "/"); trimmed {
	case "", "pipeline", "multi-exec":
		several = trimmed != ""
		words = firstStrings(body)
	default:
		words = strings.Split(trimmed, "/")
	}
	if len(words) == 0 {
		return "/" + strings.Trim(path, "/")
	}
	shown := strings.ToUpper(shortened(words[0]))
	if len(words) > 1 && shown != "AUTH" && shown != "HELLO" {
		shown += " " + shortened(words[1])
	}
	if several {
		shown = strings.Trim(path, "/") + ": " + shown + " …"
	} else if len(words) > 2 {
		shown += " …"
	}
	return shown
}

// firstStrings returns the strings that a JSON text begins with, up to three, also of a text that was cut.
func firstStrings(text []byte) []string {
	var found []string
	for rest := string(text); len(found) < 3; {
		rest = strings.TrimLeft(rest, " \t\r\n[,")
		if rest == "" || rest[0] == ']' {
			break
		}
		if rest[0] != '"' { // a number
			end := strings.IndexAny(rest, ",] \t\r\n")
			if end < 0 {
				end = len(rest)
			}
			found, rest = append(found, rest[:end]), rest[end:]
			continue
		}
		end := 1
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(rest))
		found = append(found, rest[1:end])
		rest = rest[min(end+1, len(rest)):]
	}
	return found
}

// shortened is a text that fits a line, without what would disturb a terminal.
func shortened(text string) string {
	text = oneLine(strings.ToValidUTF8(text, "�"))
	if utf8.RuneCountInString(text) <= wordShown {
		return text
	}
	return string([]rune(text)[:wordShown-1]) + "…"
}

// pathShown is what is printed of a request to another product: the method and the path without its query, and without the
// user of a destination.
func pathShown(method, path string) string {
	if scheme, rest, ok := strings.Cut(path, "://"); ok {
		host, after, _ := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			host = host[at+1:]
		}
		path = scheme + "://" + host
		if after != "" {
			path += "/" + after
		}
	}
	return method + " " + shortened(path)
}
