package transfer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// Restore writes entries to a server. It is a [Target].
type Restore struct {
	Peer    Peer
	Replace bool // overwrite keys that have other values
	Now     func() time.Time

	// MaxPayload is how large a value may be that is sent by RESTORE; larger ones are written in pieces. 0: 4 MiB.
	MaxPayload int
}

// requestBytes is about how much goes in one pipeline.
const requestBytes = 1 << 20

// Write implements Target.
func (t *Restore) Write(ctx context.Context, entries []Entry) (Result, error) {
	var res Result
	var small []Entry
	size := 0
	flush := func() error {
		err := t.send(ctx, small, &res)
		small, size = small[:0], 0
		return err
	}
	for _, e := range entries {
		if e.Large == nil && len(e.Payload) <= t.maxPayload() {
			if small, size = append(small, e), size+e.Size(); size < requestBytes {
				continue
			}
			if err := flush(); err != nil {
				return res, err
			}
			continue
		}
		if err := t.inPieces(ctx, e, &res, nil); err != nil {
			return res, err
		}
	}
	return res, flush()
}

func (t *Restore) maxPayload() int {
	if t.MaxPayload == 0 {
		return 4 << 20
	}
	return t.MaxPayload
}

func (t *Restore) restore(e Entry, payload string) []string {
	cmd := []string{"RESTORE", e.Key, strconv.FormatInt(e.ExpireAt, 10), payload}
	if e.ExpireAt > 0 {
		cmd = append(cmd, "ABSTTL")
	}
	if t.Replace {
		cmd = append(cmd, "REPLACE")
	}
	return cmd
}

// send sends entries by RESTORE.
func (t *Restore) send(ctx context.Context, entries []Entry, res *Result) error {
	if len(entries) == 0 {
		return nil
	}
	cmds := make([][]string, len(entries))
	for i, e := range entries {
		cmds[i] = t.restore(e, e.Payload)
	}
	replies, err := do(ctx, t.Peer, cmds...)
	if err != nil {
		return err
	}
	for i, e := range entries {
		refused, ok := replies[i].(resp.Error)
		if !ok {
			continue
		}
		if err := t.refused(ctx, e, refused, res); err != nil {
			return err
		}
	}
	return nil
}

// refused does what can be done about an entry that RESTORE does not take.
func (t *Restore) refused(ctx context.Context, e Entry, why resp.Error, res *Result) error {
	text := string(why)
	switch {
	case strings.HasPrefix(text, "BUSYKEY"):
		return t.busy(ctx, e, res)
	case strings.Contains(text, "Bad data format"), strings.Contains(text, "payload version or checksum"):
		return t.older(ctx, e, why, res)
	case strings.Contains(text, "unknown command"), strings.Contains(text, "max request size"), strings.Contains(text, "NOPERM"):
		return t.inPieces(ctx, e, res, why)
	}
	res.Skipped = append(res.Skipped, Skipped{Key: e.Key, Why: text})
	return nil
}

// busy looks whether a key that is there has the value already.
func (t *Restore) busy(ctx context.Context, e Entry, res *Result) error {
	r := Reader{Peer: t.Peer, Now: t.Now}
	b, err := r.Read(ctx, []string{e.Key})
	if err != nil {
		return err
	}
	if len(b.Entries) == 1 {
		if same, err := Same(e, b.Entries[0]); err == nil && same {
			res.There++
			return nil
		}
	}
	res.Skipped = append(res.Skipped, Skipped{Key: e.Key, Why: "the target has this key with another value; --replace overwrites it"})
	return nil
}

// older sends a value in the types that older Redis reads.
func (t *Restore) older(ctx context.Context, e Entry, why resp.Error, res *Result) error {
	for _, version := range []int{rdb.VersionRedis72, rdb.VersionRedis70, 9} {
		payload, lost, err := rdb.Older(e.Payload, version)
		if err != nil || payload == e.Payload {
			continue
		}
		_, err = one(ctx, t.Peer, t.restore(e, payload)...)
		if err == nil {
			if lost != "" {
				res.Skipped = append(res.Skipped, Skipped{Key: e.Key, Why: "without " + lost, Partly: true})
			}
			return nil
		}
		if !errors.As(err, new(resp.Error)) {
			return err
		}
	}
	return t.inPieces(ctx, e, res, why)
}

// inPieces writes a value by commands of its type to another key, which then gets the name, so that nobody sees
// half of it. why is what RESTORE said, or nil.
func (t *Restore) inPieces(ctx context.Context, e Entry, res *Result, why error) error {
	if !t.Replace {
		n, err := one(ctx, t.Peer, "EXISTS", e.Key)
		if err != nil {
			return err
		}
		if n == int64(1) {
			return t.busy(ctx, e, res)
		}
	}
	err := t.writeByType(ctx, e)
	if err != nil && (errors.As(err, new(resp.Error)) || errors.Is(err, rdb.ErrFormat) || errors.Is(err, ErrTooLarge)) {
		text := err.Error()
		if why != nil {
			text = fmt.Sprintf("RESTORE: %v; by type: %v", why, err)
		}
		res.Skipped = append(res.Skipped, Skipped{Key: e.Key, Why: text})
		return nil
	}
	return err
}

func (t *Restore) writeByType(ctx context.Context, e Entry) error {
	v, err := e.value()
	if err != nil {
		return err
	}
	if e.ExpireAt > 0 && e.ExpireAt <= t.Now().UnixMilli() {
		return nil
	}
	temporary := "skystash:import:" + e.Key
	// From the beginning each time: pieces that were appended cannot be repeated.
	err = persist(ctx, func() error { return t.writePieces(ctx, temporary, e, v) })
	if err != nil && ctx.Err() == nil {
		_, _ = t.Peer.Do(ctx, []string{"DEL", temporary}) // the first error counts
	}
	return err
}

func (t *Restore) writePieces(ctx context.Context, temporary string, e Entry, v rdb.Value) error {
	send := func(cmd ...string) error {
		replies, err := t.Peer.Do(ctx, cmd)
		if err != nil {
			return err
		}
		if refused, ok := replies[0].(resp.Error); ok {
			return fmt.Errorf("%s: %w", cmd[0], refused)
		}
		return nil
	}
	if err := send("DEL", temporary); err != nil {
		return err
	}
	for cmd := range byType(temporary, v) {
		if err := send(cmd...); err != nil {
			return err
		}
	}
	if e.ExpireAt > 0 {
		if err := send("PEXPIREAT", temporary, strconv.FormatInt(e.ExpireAt, 10)); err != nil {
			return err
		}
	}
	return send("RENAME", temporary, e.Key)
}
