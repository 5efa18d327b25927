package differential

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// realRedis is a connection to a redis-server of this test run.
type realRedis struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

// startRedis starts a redis-server that keeps nothing on disk and ends with the test.
func startRedis(t testing.TB) *realRedis {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// A socket in a folder of its own: no port that somebody else could take.
	sock := filepath.Join(dir, "s")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", sock, "--save", "", "--appendonly", "no", "--dir", dir,
		"--hz", "500") // how soon a blocking command notices that its time is over
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start redis-server (Debian package redis-server, 7.0): %v", err)
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-done })
	for {
		if conn, err := net.Dial("unix", sock); err == nil {
			t.Cleanup(func() { conn.Close() })
			return &realRedis{conn: conn, in: bufio.NewReader(conn)}
		}
		select {
		case <-done:
			t.Fatalf("redis-server ended:\n%s", log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// do sends one command and reads its reply.
func (c *realRedis) do(args ...string) (reply, error) {
	rs, err := c.pipeline([][]string{args})
	if err != nil {
		return reply{}, err
	}
	return rs[0], nil
}

func (c *realRedis) pipeline(cmds [][]string) ([]reply, error) {
	c.out = c.out[:0]
	for _, args := range cmds {
		c.out = append(c.out, '*')
		c.out = strconv.AppendInt(c.out, int64(len(args)), 10)
		c.out = append(c.out, "\r\n"...)
		for _, a := range args {
			c.out = append(c.out, '$')
			c.out = strconv.AppendInt(c.out, int64(len(a)), 10)
			c.out = append(c.out, "\r\n"...)
			c.out = append(c.out, a...)
			c.out = append(c.out, "\r\n"...)
		}
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, fmt.Errorf("send to redis-server: %w", err)
	}
	rs := make([]reply, len(cmds))
	for i := range rs {
		var err error
		if rs[i], err = readReply(c.in); err != nil {
			return nil, fmt.Errorf("reply of redis-server to %q: %w", cmds[i], err)
		}
	}
	return rs, nil
}

// multi runs a transaction. If Redis refuses to queue a command, the result is
// that refusal alone.
func (c *realRedis) multi(cmds [][]string) (reply, error) {
	all := append(append([][]string{{"MULTI"}}, cmds...), []string{"EXEC"})
	rs, err := c.pipeline(all)
	if err != nil {
		return reply{}, err
	}
	for _, r := range rs[1 : len(rs)-1] {
		if r.isError() {
			return r, nil
		}
	}
	return rs[len(rs)-1], nil
}

func (c *realRedis) reset() error {
	_, err := c.do("FLUSHALL")
	return err
}
