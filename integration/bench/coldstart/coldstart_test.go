package coldstart

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/bundle"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/dynamotls"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
	"github.com/skystash/skystash/pkg/token"
)

const file = "../COLDSTART.md"

var (
	update = flag.Bool("update", false, "measure, and write "+file)
	starts = flag.Int("starts", 40, "cold starts of each function")
)

// function is one of those that are compared.
type function struct {
	name, pkg string
	env       []string

	binary, archive int64 // bytes, for arm64
	inits           inits
	took            []time.Duration // from the start of the process to the first answer
	counts          dynamotls.Counts
}

// inits are what a process's initialisers do, as GODEBUG=inittrace=1 tells.
type inits struct {
	packages int
	clock    time.Duration
	bytes    int64
}

// TestColdStart checks, without -update, that both functions answer with one handshake. With it, it
// measures: a time is no reason for a test to fail.
func TestColdStart(t *testing.T) {
	functions, event, server := deployed(t)
	rounds := 1
	if *update {
		rounds = *starts
	}
	executables := map[string]string{}
	for _, f := range functions {
		executables[f.name] = runtimetest.Build(t, f.pkg)
	}
	// By turns, so that whatever else the machine does is shared.
	for round := range rounds + 1 {
		for _, f := range functions {
			took, answer := runtimetest.ColdStart(t, executables[f.name], event, append(f.env, server.Env()...)...)
			var got struct {
				StatusCode int    `json:"statusCode"`
				Body       string `json:"body"`
			}
			if err := json.Unmarshal(answer.Payload, &got); err != nil || answer.Failed || got.StatusCode != 200 {
				t.Fatalf("%s: %v %s", f.name, err, answer.Payload)
			}
			counts := server.Take()
			if counts.Handshakes != 1 || counts.Connections != 1 {
				t.Errorf("%s: %d connections, %d handshakes: %v", f.name, counts.Connections, counts.Handshakes, counts.Calls)
			}
			f.counts = counts
			if round > 0 { // the first one fills the caches of disk and server
				f.took = append(f.took, took)
			}
		}
	}
	if !*update {
		return
	}
	for _, f := range functions {
		executable := runtimetest.BuildFor(t, f.pkg, "arm64")
		info, err := os.Stat(executable)
		if err != nil {
			t.Fatal(err)
		}
		f.binary = info.Size()
		if f.archive, err = bundle.ZipSize(executable); err != nil {
			t.Fatal(err)
		}
		f.inits = initsOf(t, executables[f.name])
	}
	if t.Failed() {
		t.Fatalf("%s is left as it is", file)
	}
	if err := os.WriteFile(file, report(functions), 0o644); err != nil {
		t.Fatal(err)
	}
}

// deployed makes a database with a key, and returns the functions that read it and the event that
// asks for it. The server answers the same calls from memory.
func deployed(t *testing.T) ([]*function, []byte, *dynamotls.Server) {
	t.Helper()
	client := dynamolocal.Client(t)
	table := dynamolocal.Table(t, client)
	engine := redis.New(redis.Config{Store: dynamo.New(client, table), Logger: nil})
	db, err := engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "first"})
	if err != nil {
		t.Fatal(err)
	}
	var w resp.Writer
	if err := engine.Do(t.Context(), db, redis.Access{}, []string{"SET", "greeting", "hello, world"}, &w); err != nil {
		t.Fatal(err)
	}
	key, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.NewSigner(token.SignerConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	bearer, err := signer.Mint(token.Claims{
		CredentialID: "bench", Resource: db.ID, Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: db.CredentialGeneration,
	})
	if err != nil {
		t.Fatal(err)
	}
	public, err := token.EncodePublicKey(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	options := client.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server := dynamotls.Start(t, *options.BaseEndpoint)
	server.Remember()
	common := []string{
		"TABLE_NAME=" + table,
		"AWS_REGION=" + options.Region,
		"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
	}
	event := runtimetest.Event(t, "redis/get.json", "${TOKEN}", bearer)
	return []*function{
		{name: "minimal: one GetItem", pkg: "./integration/bench/coldstart/minimal", env: append(slices.Clone(common), "PARTITION=dfirst", "SORT=d")},
		{name: "Redis: GET", pkg: "./functions/redis", env: append(slices.Clone(common), "TOKEN_PUBLIC_KEY="+string(public))},
	}, event, server
}

// initLine is a line such as "init net/http @1.2 ms, 0.3 ms clock, 1234 bytes, 56 allocs".
var initLine = regexp.MustCompile(`^init (\S+) @[\d.]+ ms, ([\d.]+) ms clock, (\d+) bytes`)

// initsOf starts a function that lacks its settings, so that it ends as soon as it has begun.
func initsOf(t *testing.T, executable string) (sum inits) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), executable)
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	var out bytes.Buffer
	cmd.Stderr = &out
	_ = cmd.Run() // it fails, as it should
	for line := range bytes.Lines(out.Bytes()) {
		m := initLine.FindSubmatch(line)
		if m == nil {
			continue
		}
		ms, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseInt(string(m[3]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum.packages++
		sum.clock += time.Duration(ms * float64(time.Millisecond))
		sum.bytes += n
	}
	if sum.packages == 0 {
		t.Errorf("%s tells nothing of its initialisers: %s", executable, out.String())
	}
	return sum
}

func median(took []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)/2]
}

// report is the text of COLDSTART.md.
func report(functions []*function) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Cold starts\n\n"+
		"Written by `go test ./integration/bench/coldstart -update`. See [README.md](README.md).\n\n"+
		"A cold start is the time from the start of the function's process to the answer to its first request, without\n"+
		"what Lambda does before that: it fetches the archive and starts the machine. Measured with %d starts of each function\n"+
		"by turns, on %s with %d cores; Lambda's runtime API and DynamoDB are stand-ins on the same machine, the latter\n"+
		"speaks TLS. So a round trip takes next to nothing here, and about a millisecond on AWS. The minimal function is\n"+
		"[the least](coldstart/minimal/main.go) that reads an item with the AWS SDK. Archives and executables are those for arm64.\n\n",
		len(functions[0].took), runtime.GOARCH, runtime.NumCPU())
	b.WriteString("| function | first answer, median | fastest | beside minimal | TLS handshakes | calls of DynamoDB | archive | executable | initialisers allocate |\n")
	b.WriteString("| --- | --: | --: | --: | --: | --- | --: | --: | --: |\n")
	base := median(functions[0].took)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
	mb := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
	for _, f := range functions {
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f | %d | %s | %s | %s | %s in %d packages |\n", f.name, ms(median(f.took)), ms(slices.Min(f.took)),
			float64(median(f.took))/float64(base), f.counts.Handshakes, joined(f.counts.Calls), mb(f.archive), mb(f.binary), mb(f.inits.bytes), f.inits.packages)
	}
	return b.Bytes()
}

func joined(calls []string) string {
	var b bytes.Buffer
	for i, c := range calls {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c)
	}
	return b.String()
}
