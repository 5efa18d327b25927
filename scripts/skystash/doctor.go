package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const (
	// doctorPatience bounds each look at a server.
	doctorPatience = 5 * time.Second

	// clockSkew is how far this machine's clock may be from a server's. Tokens and signatures have times in them.
	clockSkew = 30 * time.Second
)

// doctorClient follows no redirection: the token is for who was named.
var doctorClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func newDoctor() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong, and say what to do about it",
		Long: `Look whether everything answers that the variables for clients name, with the tokens in them: those of the
environment if it has UPSTASH_REDIS_REST_URL, or else those of the local server's folder. The exit status is 1
if something is wrong. Nothing is written anywhere.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e := examination{out: cmd.OutOrStdout(), now: time.Now}
			e.run(cmd.Context(), data)
			if e.failed {
				return errSaid
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", ".skystash", "`folder` of the local server")
	return cmd
}

// examination is one run of the doctor.
type examination struct {
	out    io.Writer
	now    func() time.Time
	vars   map[string]string
	failed bool
}

func (e *examination) ok(what, found string) { fmt.Fprintf(e.out, "ok    %-14s %s\n", what, found) }

// advise tells of what works, but not as well as it could.
func (e *examination) advise(what, found, advice string) {
	fmt.Fprintf(e.out, "note  %-14s %s\n      %-14s -> %s\n", what, found, "", advice)
}

func (e *examination) fail(what, found, advice string) {
	e.failed = true
	fmt.Fprintf(e.out, "FAIL  %-14s %s\n      %-14s -> %s\n", what, found, "", advice)
}

func (e *examination) run(ctx context.Context, data string) {
	fmt.Fprintf(e.out, "ok    %-14s skystash %s, %s/%s\n", "program", programVersion(), runtime.GOOS, runtime.GOARCH)
	if os.Getenv("UPSTASH_REDIS_REST_URL") != "" {
		e.vars = map[string]string{}
		for _, pair := range os.Environ() {
			name, value, _ := strings.Cut(pair, "=")
			e.vars[name] = value
		}
		e.ok("variables", "of the environment")
	} else {
		vars, err := readLocalEnv(data)
		if err != nil {
			e.fail("variables", err.Error(), "or set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN to look at a deployment")
			e.port("127.0.0.1:8000")
			return
		}
		e.vars = vars
		e.ok("variables", "of "+filepath.Join(data, "local.env"))
		e.folder(data)
	}
	if !e.get(ctx, "Redis", e.vars["UPSTASH_REDIS_REST_URL"], "/ping", bearer(e.vars["UPSTASH_REDIS_REST_TOKEN"]), "UPSTASH_REDIS_REST_TOKEN") {
		return
	}
	for _, c := range []struct{ name, base, path, auth, variable string }{
		{"Redis, reading", e.vars["UPSTASH_REDIS_REST_URL"], "/ping", bearer(e.vars["UPSTASH_REDIS_REST_READONLY_TOKEN"]), "UPSTASH_REDIS_REST_READONLY_TOKEN"},
		{"Kafka", e.vars["UPSTASH_KAFKA_REST_URL"], "/topics", basic(e.vars["UPSTASH_KAFKA_REST_USERNAME"], e.vars["UPSTASH_KAFKA_REST_PASSWORD"]), "UPSTASH_KAFKA_REST_PASSWORD"},
		{"QStash", e.vars["QSTASH_URL"], "/v2/queues", bearer(e.vars["QSTASH_TOKEN"]), "QSTASH_TOKEN"},
		{"Developer API", e.vars["SKYSTASH_API_URL"], "/v2/redis/databases", basic(e.vars["UPSTASH_EMAIL"], e.vars["UPSTASH_API_KEY"]), "UPSTASH_API_KEY"},
	} {
		if c.base != "" && e.vars[c.variable] != "" {
			e.get(ctx, c.name, c.base, c.path, c.auth, c.variable)
		}
	}
	if u, err := url.Parse(e.vars["REDIS_URL"]); err == nil && u.Scheme == "redis" {
		password, _ := u.User.Password()
		e.redis(ctx, u.Host, u.User.Username(), password)
	}
	if brokers := e.vars["KAFKA_BROKERS"]; brokers != "" {
		e.dial(ctx, "Kafka, native", brokers)
	}
}

// folder looks who may read the local server's secrets.
func (e *examination) folder(dir string) {
	if runtime.GOOS == "windows" {
		return // its files have no such modes
	}
	for _, name := range []string{"signing.pem", "api-key", "local.env"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			e.fail("folder", fmt.Sprintf("%s can be read by others (mode %v)", path, info.Mode().Perm()), "chmod 600 "+path)
			return
		}
	}
	e.ok("folder", dir+" is closed to others")
}

// port looks whether a server could listen on an address.
func (e *examination) port(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		e.advise("port", addr+" is in use by another program", "skystash dev --addr 127.0.0.1:0 takes a free port")
		return
	}
	l.Close()
	e.ok("port", addr+" is free")
}

// get asks a server with a token, and reports whether it was reached at all.
func (e *examination) get(ctx context.Context, what, base, path, auth, variable string) (reached bool) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+path, nil)
	if err != nil {
		e.fail(what, "the URL "+base+" is malformed", "copy it again from the console or from the output of the deployment")
		return false
	}
	req.Header.Set("Authorization", auth)
	began := e.now()
	resp, err := doctorClient.Do(req)
	if err != nil {
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			err = urlErr.Err // without the URL, which is said already
		}
		advice := "check the URL, the network and HTTPS_PROXY"
		if errors.Is(err, syscall.ECONNREFUSED) {
			advice = "is it running? start it with: skystash dev"
		}
		e.fail(what, fmt.Sprintf("%s does not answer: %v", base, err), advice)
		return false
	}
	defer resp.Body.Close()
	took := e.now().Sub(began)
	text, err := io.ReadAll(io.LimitReader(resp.Body, 200))
	switch {
	case err != nil:
		e.fail(what, fmt.Sprintf("the answer of %s ends early: %v", base, err), "try again; a proxy may be in between")
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		e.fail(what, fmt.Sprintf("%s refuses the token: %s", base, strings.TrimSpace(string(text))), "look at it with: skystash token inspect - <<< \"$"+variable+"\"")
	case resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json"):
		e.fail(what, fmt.Sprintf("%s answers %d: %s", base, resp.StatusCode, strings.TrimSpace(string(text))), "is this URL that of Skystash?")
	default:
		e.ok(what, fmt.Sprintf("%s answers in %v", base, took.Round(100*time.Microsecond)))
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && what == "Redis" {
		if skew := began.Sub(date); skew.Abs() > clockSkew {
			e.fail("clock", fmt.Sprintf("this machine's clock is %v off the server's", skew.Round(time.Second)), "set it, by NTP for example: tokens and signatures depend on it")
		}
	}
	return true
}

// redis logs in by Redis's own protocol.
func (e *examination) redis(ctx context.Context, addr, user, password string) {
	conn, err := (&net.Dialer{Timeout: doctorPatience}).DialContext(ctx, "tcp", addr)
	if err != nil {
		e.fail("Redis, native", err.Error(), "is the server running with another --redis-addr? read local.env again")
		return
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(doctorPatience)); err != nil {
		e.fail("Redis, native", err.Error(), "try again")
		return
	}
	fmt.Fprintf(conn, "*3\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(user), user, len(password), password)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	switch {
	case err != nil:
		e.fail("Redis, native", fmt.Sprintf("%s does not answer: %v", addr, err), "does another program listen there?")
	case !strings.HasPrefix(answer, "+OK"):
		e.fail("Redis, native", addr+" refuses the password: "+strings.TrimSpace(answer), "is this another Redis? REDIS_URL in local.env says where Skystash listens")
	default:
		e.ok("Redis, native", addr+" lets in")
	}
}

// dial looks whether somebody listens.
func (e *examination) dial(ctx context.Context, what, addr string) {
	conn, err := (&net.Dialer{Timeout: doctorPatience}).DialContext(ctx, "tcp", addr)
	if err != nil {
		e.fail(what, err.Error(), "is the server running with another --kafka-addr? read local.env again")
		return
	}
	conn.Close()
	e.ok(what, addr+" listens")
}

func bearer(token string) string { return "Bearer " + token }

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
