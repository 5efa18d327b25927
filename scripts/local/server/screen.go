package server

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// The first screen fits a terminal of screenLines lines of screenWidth characters, if the variables for clients are in a file.
const (
	screenLines = 24
	screenWidth = 80
)

// tokenShown is how much of a token the first screen shows, in characters.
const tokenShown = 12

// requestLog is where requests are printed; nil: nowhere.
func (m *Main) requestLog() *activity {
	if !m.flags.requests {
		return nil
	}
	return m.activity
}

// printScreen prints what somebody needs who has just started the program. A program that has started it finds all variables
// in what it reads, one a line, and waits for the line that begins with "Ready".
func (m *Main) printScreen() {
	var b strings.Builder
	fmt.Fprintln(&b, strings.TrimSpace("Skystash "+m.Version)+", data "+m.where())
	fmt.Fprintln(&b)
	row := func(name, url, native string) {
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("  %-10s %-28s %s", name, url, native), " "))
	}
	row("Redis", m.url, ports("redis://", m.redisWire.endpoint().Address, m.redisWire.endpoint().TLSAddress))
	row("Kafka", m.url+"/kafka", ports("", m.kafkaWire.plain.address(), m.kafkaWire.tls.address()))
	row("QStash", m.url, "")
	if m.qstash.devURL != "" {
		row("QStash dev", m.qstash.devURL, "with the known credentials of development")
	}
	if m.replica != nil {
		row("Replica", m.replica.url, fmt.Sprintf("lags behind by %v", m.flags.replicaLag))
	}
	fmt.Fprintf(&b, "  Console, signed in once by this link:\n  %s\n\n", m.signIn)

	files := m.envFiles()
	whole := len(files) == 0 || !m.terminal
	for _, v := range m.environment() {
		switch {
		case whole:
			fmt.Fprintf(&b, "  %s=%s\n", v[0], v[1])
		case screenVars[v[0]]:
			fmt.Fprintf(&b, "  %s=%s\n", v[0], shortToken(v[1]))
		}
	}
	fmt.Fprintln(&b)
	if len(files) == 0 {
		fmt.Fprint(&b, "These variables are in no file: --env .env.local writes one.\n\n")
		fmt.Fprintf(&b, "Try it:\n\n  curl -H \"Authorization: Bearer %s\" %s/set/greeting/hello\n", m.token, m.url)
	} else {
		fmt.Fprintf(&b, "All variables, whole, are in %s. Try it:\n\n", strings.Join(files, " and "))
		fmt.Fprintf(&b, "  . %s\n", shellPath(files[0]))
		fmt.Fprint(&b, "  curl -H \"Authorization: Bearer $UPSTASH_REDIS_REST_TOKEN\" \\\n    $UPSTASH_REDIS_REST_URL/set/greeting/hello\n")
	}
	fmt.Fprintf(&b, "\nReady in %v. Ctrl-C ends it.\n", time.Since(m.began).Round(time.Millisecond))
	// A write of its own for each line, for whoever reads them one by one.
	for line := range strings.Lines(b.String()) {
		if _, err := io.WriteString(m.stdout, line); err != nil {
			return
		}
	}
}

// screenVars are those that the first screen shows, tokens shortened.
var screenVars = map[string]bool{
	"UPSTASH_REDIS_REST_URL":      true,
	"UPSTASH_REDIS_REST_TOKEN":    true,
	"UPSTASH_KAFKA_REST_USERNAME": true,
	"UPSTASH_KAFKA_REST_PASSWORD": true,
	"QSTASH_TOKEN":                true,
}

// where says where the data is.
func (m *Main) where() string {
	switch {
	case m.flags.store == storeDynamo:
		return "in the DynamoDB table " + m.flags.table
	case !m.flags.ephemeral:
		return "in " + m.flags.data
	}
	return "in memory only, gone when this ends"
}

// envFiles names the files that have the variables for clients.
func (m *Main) envFiles() (files []string) {
	if !m.flags.ephemeral {
		files = append(files, filepath.Join(m.flags.data, envFile))
	}
	if m.flags.envFile != "" {
		files = append(files, m.flags.envFile)
	}
	return files
}

// ports says where the clients of a protocol of its own connect to; "": nowhere.
func ports(scheme, plain, tls string) string {
	var parts []string
	if plain != "" {
		parts = append(parts, scheme+plain)
	}
	if tls != "" {
		_, port, _ := net.SplitHostPort(tls)
		parts = append(parts, "TLS "+port)
	}
	return strings.Join(parts, ", ")
}

// shortToken is the beginning of a token; other values stay.
func shortToken(value string) string {
	if strings.Contains(value, "://") || len(value) <= 3*tokenShown {
		return value
	}
	return value[:tokenShown] + "…"
}

// shellPath is a file as the shell's dot takes it, which looks for names without a slash elsewhere.
func shellPath(file string) string {
	if strings.ContainsRune(file, filepath.Separator) {
		return file
	}
	return "./" + file
}

// isTerminal reports whether a writer is a terminal, or another device that takes characters.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// showsColours reports whether a terminal is to be sent colours, see https://no-color.org.
func showsColours() bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && runtime.GOOS != "windows"
}

// openBrowser shows a page in the browser of the person at this machine.
func openBrowser(url string) error {
	command := []string{"xdg-open", url}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", url}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", url}
	}
	cmd := exec.Command(command[0], command[1:]...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", command[0], err)
	}
	return cmd.Process.Release()
}
