package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skystash/skystash/pkg/redis/transfer"
	"github.com/skystash/skystash/scripts/atomicfile"
)

func newExport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write a database's data to a file",
		Long:  `Write data to a file that others read: see "skystash export redis --help".`,
	}
	cmd.AddCommand(newExportRedis(), newExportQStash(), newExportKafka())
	return cmd
}

// errNoOut is what is wrong with an export without --out.
var errNoOut = misuse{errors.New("where to? --out FILE, or --out - for standard output")}

// rdbVersions are the versions of RDB files by the Redis that loads them.
var rdbVersions = map[string]int{"7.0": transfer.Redis70, "7.2": transfer.Redis72, "7.4": transfer.Redis74}

// exportRedis are the flags of export redis.
type exportRedis struct {
	endpointFlags
	from, out, format, redis, documents, match string
	rate                                       float64
	report                                     string
}

func newExportRedis() *cobra.Command {
	var e exportRedis
	cmd := &cobra.Command{
		Use:   "redis",
		Short: "Write the keys of a Redis database to an RDB file or as lines of JSON",
		Long: `Write the keys of a database to an RDB file, which redis-server loads when it starts, or as lines of JSON. The
database is any Skystash, Upstash or Redis: https://host with a token, redis://user:password@host:port/0, rediss://
with TLS, or unix:///path of a socket. The token, or password, is read from SKYSTASH_FROM_TOKEN, so that it gets
into no history.

An RDB file for Redis 7.0 is loaded by all later ones, but has no times to live of hashes' fields, which Redis has since
7.4 (--redis 7.4). JSON documents become strings with their texts, since a Redis without the module RedisJSON does
not start from a file with one. What is not in the file as it was is said at the end.

The file is no snapshot: keys that change meanwhile are in it with a value that they had.`,
		Example: `  skystash export redis --out dump.rdb
  SKYSTASH_FROM_TOKEN=... skystash export redis --from https://my-db.upstash.io --out dump.jsonl
  skystash export redis --from rediss://localhost:6380 --format jsonl --out - | jq -c 'select(.type == "hash")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.run(cmd) },
	}
	e.add(cmd)
	f := cmd.Flags()
	f.StringVar(&e.from, "from", "", "`URL` of the database; default: the local server's")
	f.StringVar(&e.out, "out", "", "`file` to write, - for standard output")
	f.StringVar(&e.format, "format", "", "rdb or jsonl; default: as the file's name ends")
	f.StringVar(&e.redis, "redis", "7.0", "the oldest Redis that is to load the RDB file: 7.0, 7.2 or 7.4")
	f.StringVar(&e.documents, "json", string(transfer.AsStrings), "what becomes of JSON documents in an RDB file: string, skip or module")
	f.StringVar(&e.match, "match", "", "only keys that match this `pattern`, as of SCAN")
	f.Float64Var(&e.rate, "rate", 0, "keys a second at most; 0: no limit")
	f.StringVar(&e.report, "report", "", "`file` for all keys that are not in the export as they were, with the reasons")
	return cmd
}

func (e *exportRedis) run(cmd *cobra.Command) error {
	if e.out == "" {
		return errNoOut
	}
	if e.format == "" {
		e.format = strings.TrimPrefix(filepath.Ext(e.out), ".")
	}
	version, ok := rdbVersions[e.redis]
	documents := transfer.Documents(e.documents)
	switch {
	case e.format != "rdb" && e.format != "jsonl":
		return misuse{fmt.Errorf("format %q: want --format rdb or jsonl", e.format)}
	case !ok:
		return misuse{fmt.Errorf("version %q of Redis: want 7.0, 7.2 or 7.4", e.redis)}
	case documents != transfer.AsStrings && documents != transfer.LeftOut && documents != transfer.OfModule:
		return misuse{fmt.Errorf("--json %q: want string, skip or module", e.documents)}
	}
	peer, err := e.peer(e.from, "SKYSTASH_FROM_TOKEN")
	if err != nil {
		return err
	}
	return toFile(e.out, cmd.OutOrStdout(), func(w io.Writer) error {
		var fw transfer.FileWriter = transfer.NewJSONWriter(w)
		if e.format == "rdb" {
			if fw, err = transfer.NewRDBWriter(w, version, documents); err != nil {
				return err
			}
		}
		if err := e.write(cmd.Context(), cmd.ErrOrStderr(), peer, fw); err != nil {
			return err
		}
		return fw.Close()
	})
}

func (e *exportRedis) write(ctx context.Context, notes io.Writer, peer transfer.Peer, fw transfer.FileWriter) error {
	scan := transfer.NewScan(peer, time.Now, "")
	scan.Match = e.match
	told, err := newTeller(notes, e.report, total(ctx, peer, e.match))
	if err != nil {
		return err
	}
	stats, err := transfer.Copy(ctx, scan, &transfer.File{W: fw}, transfer.Options{Rate: e.rate, Now: time.Now, Placed: told.placed, Skipped: told.skipped})
	if err := errors.Join(err, told.end()); err != nil {
		return err
	}
	told.summary("exported", stats)
	return nil
}

// toFile writes a file of which there is never half. "-" is standard output.
func toFile(name string, stdout io.Writer, write func(io.Writer) error) error {
	if name == "-" {
		w := bufio.NewWriterSize(stdout, 1<<20)
		return errors.Join(write(w), w.Flush())
	}
	return atomicfile.Write(name, write)
}
