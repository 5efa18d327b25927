// Package idle measures what idle connections of Redis's own protocol take: memory, and time of a processor.
// It has nothing but a benchmark, which writes the table in REDIS-WIRE.md with -update.
package idle

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp/resptest"
	"github.com/skystash/skystash/pkg/redis/wire"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token"
)

var (
	update      = flag.Bool("update", false, "write the table in REDIS-WIRE.md anew")
	connections = flag.Int("connections", 10_000, "`number` of connections")
)

const (
	file    = "../REDIS-WIRE.md"
	heading = "## Idle connections\n"
	// watched is how long the processor's time is measured.
	watched = 10 * time.Second
	// serverVar makes the program a server: clients and server are two processes, as only the server's memory counts.
	serverVar = "SKYSTASH_IDLE_SERVER"
	// largeValue is the size of a value that each connection has read once.
	largeValue = 100 << 10
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(serverVar); kind != "" {
		if err := serve(kind == "tls"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// anyToken is a verifier that takes anything for a token.
type anyToken struct{}

func (anyToken) Verify(context.Context, string) (token.Claims, error) {
	return token.Claims{CredentialID: "c", Resource: "db", Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: 1}, nil
}

// serve serves until standard input ends. It prints its address.
func serve(secure bool) error {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		return err
	}
	defer st.Close()
	engine := redis.New(redis.Config{Store: st})
	defer engine.Close()
	if _, err := engine.CreateDatabase(context.Background(), redis.DatabaseOptions{ID: "db"}); err != nil {
		return err
	}
	const many = 1 << 20
	server := wire.New(wire.Config{Engine: engine, Verifier: anyToken{}, MaxClients: many, MaxPerDatabase: many, MaxPerCredential: many})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	if secure {
		cert, err := selfSigned()
		if err != nil {
			return err
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	server.Close(ctx)
	serving.Wait()
	return nil
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// process is a server.
type process struct {
	*testing.B
	secure bool
	addr   string
	pid    int
}

func start(b *testing.B, secure bool) *process {
	b.Helper()
	cmd := exec.Command(os.Args[0]) // #nosec G204 -- this program
	kind := "plain"
	if secure {
		kind = "tls"
	}
	cmd.Env = append(os.Environ(), serverVar+"="+kind)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return &process{b, secure, strings.TrimSpace(addr), cmd.Process.Pid}
}

// open opens a connection, sends commands and reads their replies.
func (p *process) open(commands string, replies int) net.Conn {
	p.Helper()
	nc, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.Fatal(err)
	}
	if p.secure {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true}) // #nosec G402 -- what is measured is memory
	}
	if _, err := io.WriteString(nc, commands); err != nil {
		p.Fatal(err)
	}
	r := bufio.NewReader(nc)
	for range replies {
		if _, err := resptest.Read(r); err != nil {
			p.Fatal(err)
		}
	}
	return nc
}

// memory is what the server takes, in bytes.
func (p *process) memory() int {
	p.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		p.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		p.Fatal(err)
	}
	return kb << 10
}

// processor is the time that the server has run.
func (p *process) processor() time.Duration {
	p.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		p.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	ticks := 0
	for _, field := range strings.Fields(rest)[11:13] { // of the program and of the kernel for it
		n, err := strconv.Atoi(field)
		if err != nil {
			p.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// hello is what clients send when they connect.
const hello = "HELLO 3 AUTH default t\r\nCLIENT SETINFO LIB-NAME bench\r\nCLIENT SETINFO LIB-VER 1\r\nINFO\r\nSET k v\r\nGET k\r\n"

const helloReplies = 6

func BenchmarkIdle(b *testing.B) {
	var rows bytes.Buffer
	for _, kind := range []struct {
		name, after string
		replies     int
		secure      bool
	}{
		{name: "said hello, then INFO, SET and GET"},
		{name: "the same by TLS 1.3", secure: true},
		{name: "has read a value of 100 KB", after: "GET large\r\n", replies: 1},
		{name: "waits in BLPOP", after: "BLPOP list 0\r\n"},
		{name: "has subscribed to a channel", after: "SUBSCRIBE news\r\n", replies: 1},
	} {
		b.Run(kind.name, func(b *testing.B) {
			for range b.N {
				rows.WriteString(measure(b, kind.name, kind.after, kind.replies, kind.secure))
			}
		})
	}
	if *update {
		write(b, rows.String())
	}
}

// measure opens connections and returns a row of the table.
func measure(b *testing.B, name, after string, replies int, secure bool) string {
	p := start(b, secure)
	p.open(hello+"SET large "+strings.Repeat("x", 60<<10)+"\r\nAPPEND large "+strings.Repeat("x", largeValue-60<<10)+"\r\n", helloReplies+2)
	before := p.memory()
	var all []net.Conn
	for range *connections {
		all = append(all, p.open(hello+after, helloReplies+replies))
	}
	peak := p.memory()
	used := p.processor()
	time.Sleep(watched)
	used = p.processor() - used
	memory := p.memory() - before
	share := float64(used) / float64(watched) * 100
	for _, nc := range all {
		nc.Close()
	}
	n := len(all)
	b.ReportMetric(float64(memory)/1e6, "MB")
	b.ReportMetric(float64(peak-before)/1e6, "MB-at-first")
	b.ReportMetric(float64(memory)/1e3/float64(n), "KB/connection")
	b.ReportMetric(share, "%-of-a-core")
	return fmt.Sprintf("| %s | %d | %.0f | %.1f | %.1f |\n", name, n, float64(memory)/1e6, float64(memory)/1e3/float64(n), share)
}

// write replaces the table in the file.
func write(b *testing.B, rows string) {
	b.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	before, _, ok := bytes.Cut(text, []byte(heading))
	if !ok {
		b.Fatalf("%s has no heading %q", file, heading)
	}
	text = fmt.Appendf(before, "%s\nWhat a server's memory (resident set) grows by when so many clients have connected and do nothing more, and the processor's time\n"+
		"that it takes then, for %v. Clients are in another process. The goal is 300 MB for 10,000.\n\n"+
		"| each connection | connections | MB | KB for one | %% of a core |\n|---|--:|--:|--:|--:|\n%s\n    go test ./integration/bench/idle -run '^$' -bench . -benchtime 1x -update\n", heading, watched, rows)
	if err := os.WriteFile(file, text, 0o644); err != nil { // #nosec G306 -- documentation
		b.Fatal(err)
	}
}
