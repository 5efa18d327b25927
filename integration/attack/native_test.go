package attack

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp/resptest"
)

// native is a connection of Redis's own protocol.
type native struct {
	a    *target
	conn net.Conn
	r    *bufio.Reader
}

// stranger makes a connection that has not logged in.
func (a *target) stranger() *native {
	a.Helper()
	u, err := url.Parse(a.server.Var("REDIS_URL"))
	if err != nil {
		a.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		a.Fatal(err)
	}
	a.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		a.Fatal(err)
	}
	return &native{a, conn, bufio.NewReader(conn)}
}

// dial makes a connection that has logged in with a token.
func (a *target) dial(token string, proto int) *native {
	a.Helper()
	n := a.stranger()
	if r := n.do("HELLO", fmt.Sprint(proto), "AUTH", "default", token); r.status != http.StatusOK {
		a.Fatalf("logging in: %s", r)
	}
	return n
}

// send sends commands.
func (n *native) send(cmds ...[]string) {
	n.a.Helper()
	var b strings.Builder
	for _, args := range cmds {
		fmt.Fprintf(&b, "*%d\r\n", len(args))
		for _, arg := range args {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
		}
	}
	if _, err := n.conn.Write([]byte(b.String())); err != nil {
		n.a.Fatal(err)
	}
}

// reply reads a reply. Its status is what it would be over HTTP.
func (n *native) reply() answer {
	n.a.Helper()
	text, err := resptest.Read(n.r)
	if err != nil {
		n.a.Fatalf("instead of a reply: %q, %v", text, err)
	}
	status := http.StatusOK
	if text[0] == '-' || text[0] == '!' {
		status = http.StatusBadRequest
	}
	return answer{status: status, body: text}
}

// do sends a command and reads its reply.
func (n *native) do(args ...string) answer {
	n.a.Helper()
	n.send(args)
	return n.reply()
}

// multi sends a command in a transaction. The answer is what EXEC says, or why the command is not queued.
func (n *native) multi(args ...string) answer {
	n.a.Helper()
	n.send([]string{"MULTI"}, args, []string{"EXEC"})
	n.reply()
	queued, executed := n.reply(), n.reply()
	if queued.status != http.StatusOK {
		return queued
	}
	// Rights to channels are looked at when the transaction runs.
	if count, member, _ := strings.Cut(executed.body, "\n"); strings.HasPrefix(count, "*1") && strings.HasPrefix(strings.TrimSpace(member), "-") {
		executed.status = http.StatusBadRequest
	}
	return executed
}

// nativeWays are the ways to send a command over connections.
func nativeWays(two, three *native, args []string) map[string]answer {
	return map[string]answer{"RESP2": two.do(args...), "RESP3": three.do(args...), "RESP3, MULTI": three.multi(args...)}
}
