package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/skystash/skystash/pkg/redis/transfer"
)

func newImport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Bring data in, from a file or another server",
		Long:  `Bring data in, from a file or another server: see "skystash import redis --help".`,
	}
	cmd.AddCommand(newImportRedis(), newImportQStash(), newImportKafka())
	return cmd
}

// errNoFrom is what is wrong with an import without --from.
var errNoFrom = misuse{errors.New("where from? --from URL or --from FILE")}

// importRedis are the flags of import redis.
type importRedis struct {
	endpointFlags
	from, to, match, report, state string
	rate                           float64
	db, writers                    int
	replace, verify, follow        bool
	settled                        int
	every                          time.Duration
	shadow                         int
}

func newImportRedis() *cobra.Command {
	var i importRedis
	cmd := &cobra.Command{
		Use:   "redis",
		Short: "Bring in the keys of a Redis database, from a server or a file",
		Long: `Bring in the keys of a database: from an RDB file of Redis 2.6 to 7.4, from lines of JSON as "skystash export redis"
writes them, or from a server, which is any Redis, Upstash or Skystash: https://host with a token, or
redis://user:password@host:port/0, rediss:// with TLS, unix:///path of a socket. They go to the local server, or to any
such server (--to). The tokens, or passwords, are read from SKYSTASH_FROM_TOKEN and SKYSTASH_TO_TOKEN.

With --state FILE an import that was interrupted, even by kill -9, goes on where it was. A key that the target has
with the same value is no conflict. With another value it is skipped, and said at the end, unless there is --replace.

--follow goes on after the first pass: it reads the source again and again and writes what has changed, or
deletes what is gone, until a pass has at most --settled changes, when it is time to switch. Interrupt it (Ctrl-C) after
the application writes to the target. --verify compares everything with the target at the end.`,
		Example: `  skystash import redis --from dump.rdb
  SKYSTASH_FROM_TOKEN=... skystash import redis --from rediss://default@my-db.upstash.io:6379 --state import.json --verify
  skystash import redis --from redis://localhost --to https://my-db.example.com --follow`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return i.run(cmd) },
	}
	i.add(cmd)
	f := cmd.Flags()
	f.StringVar(&i.from, "from", "", "`URL` of the server, or file, to read from; - for standard input")
	f.StringVar(&i.to, "to", "", "`URL` of the server to write to; default: the local server")
	f.StringVar(&i.match, "match", "", "only keys that match this `pattern`, as of SCAN")
	f.StringVar(&i.report, "report", "", "`file` for all keys that were skipped, with the reasons")
	f.StringVar(&i.state, "state", "", "`file` that remembers how far the import is, to go on there")
	f.Float64Var(&i.rate, "rate", 0, "keys a second at most; 0: no limit")
	f.IntVar(&i.db, "source-db", 0, "number of the database in an RDB file")
	f.IntVar(&i.writers, "writers", 4, "how many requests write at a time")
	f.BoolVar(&i.replace, "replace", false, "overwrite keys that the target has with other values")
	f.BoolVar(&i.verify, "verify", false, "compare all keys with the target at the end; the exit status is 1 if one differs")
	f.BoolVar(&i.follow, "follow", false, "go on with what changes at the source; it implies --replace")
	f.IntVar(&i.settled, "settled", 0, "with --follow: how few changes a pass must have to say that it is time to switch")
	f.DurationVar(&i.every, "every", time.Second, "with --follow: how long to wait between passes")
	f.IntVar(&i.shadow, "shadow", 100, "with --follow: compare every so manieth unchanged key with the target; 0: none")
	return cmd
}

// source is what an import reads from.
type source struct {
	transfer.Source
	total   int64 // keys; 0: not known
	match   func(key string) bool
	part    func() float64 // how much of a file was read; nil: no file
	closing io.Closer
}

func (s *source) close() {
	if s.closing != nil {
		s.closing.Close()
	}
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// open begins to read behind a place.
func (i *importRedis) open(ctx context.Context, stdin io.Reader, place string) (*source, error) {
	if isServer(i.from) {
		peer, err := i.peer(i.from, "SKYSTASH_FROM_TOKEN")
		if err != nil {
			return nil, err
		}
		scan := transfer.NewScan(peer, time.Now, place)
		scan.Match = i.match
		return &source{Source: scan, total: total(ctx, peer, i.match)}, nil
	}
	s := &source{}
	if i.match != "" {
		s.match = transfer.Matcher(i.match)
	}
	if i.from == "-" {
		return s, i.read(s, stdin, place)
	}
	f, err := os.Open(i.from)
	if err != nil {
		return nil, err
	}
	s.closing = f
	read := &counted{r: f}
	if err := i.read(s, read, place); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", i.from, err)
	}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		s.part = func() float64 { return float64(read.n.Load()) / float64(info.Size()) }
	}
	return s, nil
}

// read looks at how a file begins, whatever its name.
func (i *importRedis) read(s *source, r io.Reader, place string) (err error) {
	in := bufio.NewReader(r)
	head, err := in.Peek(5)
	switch {
	case len(head) == 0:
		return errors.New("there is nothing in it")
	case bytes.Equal(head, []byte("REDIS")):
		s.Source, err = transfer.NewRDBReader(in, i.db, place)
	case head[0] == '{':
		s.Source, err = transfer.NewJSONReader(in, place)
	default:
		return errors.Join(errors.New("neither an RDB file nor lines of JSON"), err)
	}
	return err
}

func (i *importRedis) run(cmd *cobra.Command) error {
	switch {
	case i.from == "":
		return errNoFrom
	case i.follow && !isServer(i.from):
		return misuse{errors.New("--follow: a file does not change; name a server")}
	case i.from == "-" && (i.verify || i.state != ""):
		return misuse{errors.New("standard input can be read only once: --verify and --state need a file")}
	case i.writers < 1 || i.every < 0 || i.settled < 0:
		return misuse{errors.New("--writers must be at least 1, --every and --settled not negative")}
	}
	to, err := i.peer(i.to, "SKYSTASH_TO_TOKEN")
	if err != nil {
		return err
	}
	restore := &transfer.Restore{Peer: to, Replace: i.replace || i.follow, Now: time.Now}
	if i.follow {
		return i.passes(cmd, restore)
	}
	s, state, err := i.resumed(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	stats, err := i.copy(cmd, "imported", s, restore, state)
	if err != nil {
		return i.advise(err)
	}
	if i.verify {
		return i.compare(cmd, to)
	}
	if stats.Skipped > 0 {
		return errSaid
	}
	return nil
}

// resumed opens the source where the state file says.
func (i *importRedis) resumed(cmd *cobra.Command) (*source, *stateFile, error) {
	state := &stateFile{name: i.state, From: withoutPassword(i.from), To: withoutPassword(i.to), Match: i.match, DB: i.db}
	if err := state.load(); err != nil {
		return nil, nil, err
	}
	if state.Place != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "going on after %d keys, as %s says\n", state.Keys, i.state)
	}
	s, err := i.open(cmd.Context(), cmd.InOrStdin(), state.Place)
	return s, state, err
}

func (i *importRedis) copy(cmd *cobra.Command, what string, s *source, to transfer.Target, state *stateFile) (transfer.Stats, error) {
	told, err := newTeller(cmd.ErrOrStderr(), i.report, s.total)
	if err != nil {
		return transfer.Stats{}, err
	}
	told.part = s.part
	if state != nil {
		told.before, told.save = state.Keys, state.saver()
	}
	stats, err := transfer.Copy(cmd.Context(), s, to, transfer.Options{
		Writers: i.writers, Rate: i.rate, Now: time.Now, Placed: told.placed, Skipped: told.skipped, Match: s.match,
	})
	if state != nil && err == nil {
		err = state.save()
	}
	if err := errors.Join(err, told.end()); err != nil {
		return stats, err
	}
	told.summary(what, stats)
	return stats, nil
}

func (i *importRedis) advise(err error) error {
	if i.state != "" {
		return fmt.Errorf("%w; the same command goes on where it was", err)
	}
	return fmt.Errorf("%w; repeat it: what is there already does no harm (with --state FILE it goes on where it was)", err)
}

// compare reads the source again and compares it with the target.
func (i *importRedis) compare(cmd *cobra.Command, to transfer.Peer) error {
	s, err := i.open(cmd.Context(), cmd.InOrStdin(), "")
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Fprintln(cmd.ErrOrStderr(), "comparing")
	stats, err := i.copy(cmd, "compared", s, &transfer.Compare{Peer: to, Now: time.Now}, nil)
	if err != nil {
		return err
	}
	if stats.Skipped > 0 {
		return fmt.Errorf("%d keys are not equal in the target", stats.Skipped)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "verified: %d keys are equal\n", stats.There)
	return nil
}

// passes follows the source until it is interrupted.
func (i *importRedis) passes(cmd *cobra.Command, restore *transfer.Restore) error {
	follow := &transfer.Follow{To: restore, Shadow: i.shadow}
	notes := cmd.ErrOrStderr()
	for n, settled := 1, false; ; n++ {
		pass, err := i.pass(cmd, follow, n)
		switch {
		case cmd.Context().Err() != nil && settled:
			fmt.Fprintln(notes, "no longer followed")
			return nil
		case err != nil:
			return i.advise(err)
		}
		fmt.Fprintf(notes, "pass %d: %d changed, %d deleted, %d of those compared differ\n", n, pass.Changed, pass.Deleted, len(pass.Shadow))
		for _, s := range pass.Shadow[:min(len(pass.Shadow), reasonsShown)] {
			fmt.Fprintf(notes, "  %.200q %s\n", s.Key, s.Why)
		}
		if n > 1 && !settled && pass.Changed+pass.Deleted <= i.settled {
			settled = true
			fmt.Fprintln(notes, "SETTLED: stop writing to the source, wait for one more pass, and switch the application to the target")
		}
		select {
		case <-cmd.Context().Done():
		case <-time.After(i.every):
		}
	}
}

func (i *importRedis) pass(cmd *cobra.Command, follow *transfer.Follow, n int) (transfer.Pass, error) {
	s, err := i.open(cmd.Context(), nil, "")
	if err != nil {
		return transfer.Pass{}, err
	}
	defer s.close()
	if n == 1 {
		_, err = i.copy(cmd, "imported", s, follow, nil)
	} else {
		_, err = transfer.Copy(cmd.Context(), s, follow, transfer.Options{Writers: i.writers, Rate: i.rate, Now: time.Now})
	}
	if err != nil {
		return transfer.Pass{}, err
	}
	return follow.EndPass(cmd.Context())
}

// withoutPassword is a URL or a file as a state file may have it.
func withoutPassword(where string) string {
	scheme, rest, ok := strings.Cut(where, "://")
	if _, host, found := strings.Cut(rest, "@"); ok && found {
		return scheme + "://" + host
	}
	return where
}
