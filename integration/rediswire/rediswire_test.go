package rediswire

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/integration/local"
)

// programTime bounds a program's run.
const programTime = 3 * time.Minute

// restart is the line by which a program asks that the server be killed and started again.
const restart = "restart the server"

// program is a client of a server. It says at its end that all is well.
type program struct {
	name string
	args []string
	env  []string
}

// startServer starts a local server, with the same ports after each start. Programs that empty the database need one each.
func startServer(t *testing.T, flags ...string) *local.Server {
	t.Helper()
	args := append([]string{"-data", filepath.Join(t.TempDir(), "data"), "-redis-addr", freeAddress(t), "-redis-tls-addr", freeAddress(t),
		"-kafka-addr", "", "-kafka-tls-addr", ""}, flags...)
	s := local.New(t, local.Build(t), args...)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run runs a program against a server.
func (p program) run(t *testing.T, s *local.Server, tls bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	cmd.Env = append(append(os.Environ(), "REDIS_URL="+s.Var("REDIS_URL")), p.env...)
	if tls {
		ca := s.Var("REDIS_TLS_CA")
		cmd.Env = append(cmd.Env, "REDIS_URL="+s.Var("REDIS_TLS_URL"), "REDIS_TLS_CA="+ca, "NODE_EXTRA_CA_CERTS="+ca)
	}
	out, err := converse(ctx, cmd, s)
	if err != nil || !strings.HasSuffix(strings.TrimSpace(out), " ok") {
		t.Errorf("%s, TLS %v: %v\n%s", p.name, tls, err, out)
	}
}

// converse runs a command, returns what it prints, and restarts the server when it asks for it.
func converse(ctx context.Context, cmd *exec.Cmd, s *local.Server) (string, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return "", err
	}
	var out strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		fmt.Fprintln(&out, lines.Text())
		if lines.Text() != restart {
			continue
		}
		s.Kill()
		if err := s.Start(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintln(&out, err)
		}
		if _, err := io.WriteString(stdin, "started\n"); err != nil {
			fmt.Fprintln(&out, err)
		}
	}
	return out.String(), cmd.Wait()
}

// installed finds what is to be installed.
func installed(t *testing.T, path, install string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(full)
	}
	if err != nil {
		t.Fatalf("%v: run scripts/test, or: %s", err, install)
	}
	return full
}

// look reads what programs consist of: go test remembers a result for as long as what the test has looked at stays as it is.
func look(t *testing.T, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, f := range files {
			if _, err := os.ReadFile(f); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// programs are those of the packages that scripts/test installs for all tests.
func programs(t *testing.T) []program {
	t.Helper()
	look(t, "*.cjs", "*.mjs", "*.py", "*.sh")
	installed(t, "../node_modules/bullmq/package.json", "npm ci --prefix integration")
	python := installed(t, "../venv/bin/python", "python3 -m venv integration/venv && integration/venv/bin/pip install -r integration/requirements.txt")
	return []program{
		{"ioredis 5", []string{"node", "ioredis.cjs"}, nil},
		{"node-redis 5", []string{"node", "node_redis.mjs"}, nil},
		{"ioredis, restarted", []string{"node", "restarted.mjs", "ioredis"}, nil},
		{"node-redis, restarted", []string{"node", "restarted.mjs", "redis"}, nil},
		{"BullMQ", []string{"node", "bullmq.cjs"}, nil},
		{"connect-redis", []string{"node", "sessions.mjs"}, nil},
		{"Socket.IO", []string{"node", "socketio.mjs"}, nil},
		{"redis-py", []string{python, "redis_py.py"}, nil},
		{"redis-py, restarted", []string{python, "redis_py_restarted.py"}, nil},
		{"Celery", []string{python, "celery_app.py"}, nil},
		{"RQ", []string{python, "rq_jobs.py"}, nil},
		{"redis-cli", []string{"./redis_cli.sh"}, nil},
	}
}

func TestProgramsAreServed(t *testing.T) {
	for i, p := range programs(t) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.run(t, startServer(t), i%2 == 0)
		})
	}
}
