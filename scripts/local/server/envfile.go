package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// mergeEnv writes variables into a file as dotenv reads it, such as .env.local. Those that it has get their new
// values in their places, others are added at the end; every other line stays as it is.
func mergeEnv(path string, vars [][2]string) error {
	mode := fs.FileMode(0o600)
	old, err := os.ReadFile(path)
	switch info, statErr := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("reading the file of -env: %w", err)
	case statErr == nil:
		mode = info.Mode().Perm()
	}
	// Written in place: the file may be a link, and whoever watches it sees the change.
	if err := os.WriteFile(path, []byte(merged(string(old), vars)), mode); err != nil {
		return fmt.Errorf("writing the file of -env: %w", err)
	}
	return nil
}

// merged is the text of a file with variables set.
func merged(text string, vars [][2]string) string {
	values, written := map[string]string{}, map[string]bool{}
	for _, v := range vars {
		values[v[0]] = v[1]
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		left, _, isVar := strings.Cut(line, "=")
		name := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(left), "export "))
		value, ours := values[name]
		content := strings.TrimRight(line, "\r\n")
		if isVar && ours {
			content, written[name] = fmt.Sprintf("%s=%q", strings.TrimRight(left, " \t"), value), true
		}
		ending := strings.TrimPrefix(line, strings.TrimRight(line, "\r\n"))
		if ending == "" { // the last line
			ending = "\n"
		}
		b.WriteString(content + ending)
	}
	for _, v := range vars {
		if !written[v[0]] {
			fmt.Fprintf(&b, "%s=%q\n", v[0], v[1])
		}
	}
	return b.String()
}
