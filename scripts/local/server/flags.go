package server

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/conns"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/qstash/breaker"
)

// Stores that -store can name.
const (
	storeEmbedded = "embedded"
	storeDynamo   = "dynamo"
)

// flags is what the command line says.
type flags struct {
	addr      string
	data      string
	ephemeral bool
	syncEvery time.Duration
	pprof     bool

	store    string
	endpoint string
	table    string
	region   string
	resolve  resolveFlag
	hosts    string // comma-separated
	envFile  string // "": none
	open     bool

	redisAddr     string
	redisTLSAddr  string
	redisHost     string
	redisInsecure bool
	kafkaTable    string
	kafkaStream   string
	kafkaAddr     string
	kafkaTLSAddr  string
	kafkaHost     string
	kafkaInsecure bool
	kafkaSlot     int    // -1: none
	kinesis       string // endpoint
	topics        topicsFlag
	partitions    int
	qstashTable   string
	qstashDev     bool
	qstashDevAddr string
	qstashBreaker int
	qstashTimeout time.Duration
	quiet         bool
	requests      bool
	controlTable  string
	email         string

	replica    string
	replicaLag time.Duration

	maxRequest int64
	grace      time.Duration
}

// ParseFlags reads the command line (without the program's name). It returns
// flag.ErrHelp after it has printed the usage because the user asked for it.
func (m *Main) ParseFlags(args []string) error {
	var usage strings.Builder
	fs := m.FlagSet()
	fs.SetOutput(&usage)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(m.stdout, usage.String())
			return err
		}
		// The flag package has written the message and the whole usage; one line is enough.
		return fmt.Errorf("%w (-help lists the flags)", err)
	}
	return m.CheckFlags(fs.Args())
}

// CheckFlags refuses values of flags, and arguments besides flags, that the program does not work with.
func (m *Main) CheckFlags(rest []string) error { return m.flags.check(rest) }

// FlagSet makes the set of the program's flags, with their default values. What is parsed by it takes effect at Start;
// CheckFlags comes before that.
func (m *Main) FlagSet() *flag.FlagSet {
	fs := flag.NewFlagSet("local", flag.ContinueOnError)
	f := &m.flags
	fs.StringVar(&f.addr, "addr", "127.0.0.1:8000", "`host:port` to listen on; port 0 picks a free one")
	fs.StringVar(&f.hosts, "host", "", "`names` that the server is also reached by on a loopback address, separated by commas;\n"+
		"other names than localhost are refused there, since a web site may own them")
	fs.StringVar(&f.envFile, "env", "", "`file`, such as .env.local, to write the variables for clients into; others in it stay")
	fs.BoolVar(&f.open, "open", false, "open the console in the browser, signed in")
	fs.StringVar(&f.data, "data", ".skystash", "`folder` for the signing key and the data")
	fs.BoolVar(&f.ephemeral, "ephemeral", false, "keep everything in memory: no folder, new tokens at each start")
	fs.DurationVar(&f.syncEvery, "sync-every", 100*time.Millisecond,
		"`time` between syncs of the embedded store's disk; 0: before each answer.\n"+
			"Killing the server loses nothing either way; a crash of the machine may lose\n"+
			"the writes of that time")
	fs.StringVar(&f.store, "store", storeEmbedded, "`kind` of store: embedded or dynamo")
	fs.StringVar(&f.endpoint, "endpoint", "", "`URL` of DynamoDB, e.g. of DynamoDB Local; empty: AWS")
	fs.StringVar(&f.table, "table", "skystash-redis", "`name` of the DynamoDB table; created if an endpoint is given")
	fs.StringVar(&f.redisAddr, "redis-addr", "127.0.0.1:6379", "`host:port` for clients of Redis's own protocol, without TLS; if the port is taken, the next free one;\n"+
		"empty: none")
	fs.StringVar(&f.redisTLSAddr, "redis-tls-addr", "127.0.0.1:6380", "`host:port` for the same with TLS, with a certificate that is made at the first start; empty: none")
	fs.StringVar(&f.redisHost, "redis-host", "", "`name` by which Redis's clients reach both, if it is not that of the address")
	fs.BoolVar(&f.redisInsecure, "redis-insecure", false, "let -redis-addr be another than a loopback address: tokens then cross the network in the clear")
	fs.StringVar(&f.kafkaTable, "kafka-table", "skystash-kafka", "`name` of Kafka's DynamoDB table; created if an endpoint is given")
	fs.StringVar(&f.kafkaStream, "kafka-stream", "", "`name` of a Kinesis stream to send Kafka's messages through; created if its endpoint is given.\n"+
		"Without it Kafka's table serves as the stream too, for one process at a time")
	fs.StringVar(&f.kinesis, "kinesis-endpoint", "", "`URL` of Kinesis, e.g. of kinesalite; empty: AWS")
	fs.StringVar(&f.kafkaAddr, "kafka-addr", "127.0.0.1:9092", "`host:port` for clients of Kafka's own protocol, without TLS; if the port is taken, the next free one;\n"+
		"empty: none")
	fs.StringVar(&f.kafkaTLSAddr, "kafka-tls-addr", "127.0.0.1:9192", "`host:port` for the same with TLS, with a certificate that is made at the first start; empty: none")
	fs.StringVar(&f.kafkaHost, "kafka-host", "", "`name` by which Kafka's clients reach both, if it is not that of the address")
	fs.BoolVar(&f.kafkaInsecure, "kafka-insecure", false, "let -kafka-addr be another than a loopback address: passwords then cross the network in the clear")
	fs.IntVar(&f.kafkaSlot, "kafka-slot", -1, "`number` of this server, from 0, among several over one -kafka-stream: they tell Kafka's clients of each other, so that\n"+
		"those of a group meet in one of them; each needs addresses of its own")
	fs.Var(&f.topics, "topics", "Kafka `topics` to create, e.g. red:3,green,blue: names, with the number of partitions")
	fs.IntVar(&f.partitions, "kafka-partitions", 1000, "`number` of partitions that all Kafka topics can have together")
	fs.StringVar(&f.qstashTable, "qstash-table", "skystash-qstash", "`name` of QStash's DynamoDB table; created if an endpoint is given")
	fs.BoolVar(&f.qstashDev, "qstash-dev", false, "serve QStash's development credentials, which @upstash/qstash knows, too")
	fs.StringVar(&f.qstashDevAddr, "qstash-dev-addr", "127.0.0.1:8080", "`host:port` where -qstash-dev serves them")
	fs.BoolVar(&f.quiet, "quiet", false, "print neither QStash's deliveries nor requests as they happen")
	fs.BoolVar(&f.requests, "requests", m.terminal, "print the requests over HTTP as they are answered; by default if the output is a terminal")
	fs.IntVar(&f.qstashBreaker, "qstash-breaker", breaker.DefaultFailures, "attempts without an answer in a row, after which QStash holds further ones to the\n"+
		"same host for up to 5 seconds, a `number`; -1: never")
	fs.DurationVar(&f.qstashTimeout, "qstash-timeout", 12*time.Hour, "most `time` that a QStash message, or context.call of a workflow, may give an attempt")
	fs.StringVar(&f.controlTable, "control-table", "skystash-control", "`name` of the control plane's DynamoDB table; created if an endpoint is given")
	fs.StringVar(&f.email, "email", "admin@skystash.local", "`address` of the account that owns what this program creates")
	fs.StringVar(&f.region, "region", "us-east-1", "AWS `region` of the table")
	fs.Var(&f.resolve, "resolve", "`host=addr:port`: connect there instead of to host; can be repeated")
	fs.StringVar(&f.replica, "replica", "", "`host:port` to serve Redis at as in a read region, from a copy that lags behind;\ngoes with -ephemeral")
	fs.DurationVar(&f.replicaLag, "replica-lag", time.Second, "`time` that the copy lags behind, at least; at most twice that")
	fs.BoolVar(&f.pprof, "pprof", false, "serve profiles under /debug/pprof/")
	fs.Int64Var(&f.maxRequest, "max-request", 10<<20, "largest command or reply in `bytes`")
	fs.DurationVar(&f.grace, "grace", 10*time.Second, "`time` that running requests get at the end; in the first half of it, the connections of Redis's and\n"+
		"Kafka's own protocols are closed, one after the other")
	return fs
}

// drainTime is the time over which the ends of connections are spread: the rest of the grace time is for what they do.
func (f *flags) drainTime() time.Duration { return min(conns.DefaultDrainTime, max(f.grace/2, 1)) }

func (f *flags) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q (-help lists the flags)", rest[0])
	case f.store != storeEmbedded && f.store != storeDynamo:
		return fmt.Errorf("-store %q: want %s or %s", f.store, storeEmbedded, storeDynamo)
	case f.store == storeEmbedded && f.endpoint != "":
		return errors.New("-endpoint goes with -store dynamo")
	case f.store == storeDynamo && f.table == "":
		return errors.New("-store dynamo needs -table")
	case f.store == storeDynamo && (f.kafkaTable == "" || f.kafkaTable == f.table):
		return errors.New("-store dynamo needs a -kafka-table of its own")
	case f.store == storeEmbedded && f.kafkaStream != "":
		return errors.New("-kafka-stream goes with -store dynamo")
	case f.kafkaStream == "" && f.kinesis != "":
		return errors.New("-kinesis-endpoint goes with -kafka-stream")
	case f.store == storeDynamo && (f.qstashTable == "" || f.qstashTable == f.table || f.qstashTable == f.kafkaTable):
		return errors.New("-store dynamo needs a -qstash-table of its own")
	case f.store == storeDynamo && (f.controlTable == "" || slices.Contains([]string{f.table, f.kafkaTable, f.qstashTable}, f.controlTable)):
		return errors.New("-store dynamo needs a -control-table of its own")
	case f.data == "" && !f.ephemeral:
		return errors.New("-data is empty; for memory only use -ephemeral")
	case f.replica != "" && (!f.ephemeral || f.store != storeEmbedded):
		return errors.New("-replica goes with -ephemeral and the embedded store")
	case f.replicaLag <= 0:
		return errors.New("-replica-lag must be positive")
	case f.qstashBreaker == 0 || f.qstashBreaker < -1:
		return errors.New("-qstash-breaker must be positive, or -1")
	case f.qstashTimeout < time.Second:
		return errors.New("-qstash-timeout must be a second at least")
	case f.syncEvery < 0:
		return errors.New("-sync-every must not be negative")
	case f.maxRequest <= 0:
		return errors.New("-max-request must be positive")
	case f.grace < 0:
		return errors.New("-grace must not be negative")
	}
	if _, _, err := net.SplitHostPort(f.addr); err != nil {
		return fmt.Errorf("-addr %q: want host:port", f.addr)
	}
	if _, _, err := net.SplitHostPort(f.qstashDevAddr); err != nil {
		return fmt.Errorf("-qstash-dev-addr %q: want host:port", f.qstashDevAddr)
	}
	for name, addr := range map[string]string{
		"kafka-addr": f.kafkaAddr, "kafka-tls-addr": f.kafkaTLSAddr, "redis-addr": f.redisAddr, "redis-tls-addr": f.redisTLSAddr,
	} {
		if _, _, err := net.SplitHostPort(addr); err != nil && addr != "" {
			return fmt.Errorf("-%s %q: want host:port", name, addr)
		}
	}
	if f.kafkaSlot < -1 || f.kafkaSlot >= kafka.MaxSlots {
		return fmt.Errorf("-kafka-slot %d: want 0 to %d", f.kafkaSlot, kafka.MaxSlots-1)
	}
	if f.kafkaAddr != "" && !f.kafkaInsecure && !isLoopback(f.kafkaAddr) {
		return fmt.Errorf("-kafka-addr %s is no loopback address: use -kafka-tls-addr there, or -kafka-insecure", f.kafkaAddr)
	}
	if f.redisAddr != "" && !f.redisInsecure && !isLoopback(f.redisAddr) {
		return fmt.Errorf("-redis-addr %s is no loopback address: use -redis-tls-addr there, or -redis-insecure", f.redisAddr)
	}
	if f.replica != "" {
		if _, _, err := net.SplitHostPort(f.replica); err != nil {
			return fmt.Errorf("-replica %q: want host:port", f.replica)
		}
	}
	return nil
}

// isLoopback reports whether only this machine reaches an address.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// resolveFlag maps host names to the addresses to connect to instead.
type resolveFlag map[string]string

func (r *resolveFlag) String() string { return "" }

func (r *resolveFlag) Set(s string) error {
	host, addr, ok := strings.Cut(s, "=")
	if !ok || host == "" {
		return errors.New("want host=addr:port")
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return errors.New("want host=addr:port")
	}
	if *r == nil {
		*r = resolveFlag{}
	}
	(*r)[strings.ToLower(host)] = addr
	return nil
}
