package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

const (
	// monitorLife is how long the attribute in the record holds, monitorBeat how often it is renewed.
	monitorLife = time.Minute
	monitorBeat = 20 * time.Second
	// maxMonitored bounds the bytes of a command's text.
	maxMonitored = 32 << 10
)

// Monitor begins to receive a line for each command of a database that is not administration,
// as Redis's MONITOR writes it: on this engine from now on, on others within Config.RecordTTL.
// Lines of different engines come in the order in which they were logged.
func (e *Engine) Monitor(ctx context.Context, db *Database, a Access) (*Subscription, error) {
	if err := a.CheckMonitor(); err != nil {
		return nil, err
	}
	if err := e.markMonitored(ctx, db.ID); err != nil {
		return nil, err
	}
	s := &Subscription{hub: e.hubOf(db), monitors: true, wake: make(chan struct{}, 1)}
	if err := s.join(ctx, map[messageLog]bool{{db.ID, monitorLog}: true}); err != nil {
		s.Close()
		return nil, err
	}
	s.stopBeat = e.duties.run(func(beat context.Context) {
		tick := time.NewTicker(monitorBeat)
		defer tick.Stop()
		for {
			select {
			case <-beat.Done():
				return
			case <-tick.C:
				if err := e.markMonitored(beat, db.ID); err != nil && beat.Err() == nil {
					e.log.Warn("renewing a monitor", "error", err)
				}
			}
		}
	})
	return s, nil
}

func (e *Engine) markMonitored(ctx context.Context, db string) error {
	_, err := e.updateRecord(ctx, db, store.Set(keyspace.RecMonitor, store.Int(e.nowMs()+monitorLife.Milliseconds())))
	return err
}

// monitor logs commands that are about to run, if somebody looks. That it fails does not keep
// them from running.
func (e *Engine) monitor(ctx context.Context, db *Database, cmds ...bound) {
	if db.Monitored != 0 {
		e.logCommands(ctx, db, cmds)
	}
}

func (e *Engine) logCommands(ctx context.Context, db *Database, cmds []bound) {
	now := e.now()
	if now.UnixMilli() >= db.Monitored {
		return
	}
	var lines []publication
	for _, b := range cmds {
		if !b.cmd.Has(command.Admin) {
			lines = append(lines, publication{payload: monitorLine(now, clientAddr(ctx), b.args)})
		}
	}
	l := messageLog{db.ID, monitorLog}
	for len(lines) > 0 {
		n := min(len(lines), maxInlined)
		if err := e.logLines(ctx, l, lines[:n]); err != nil {
			e.log.WarnContext(ctx, "logging commands for a monitor", "error", err)
			return
		}
		lines = lines[n:]
	}
}

func (e *Engine) logLines(ctx context.Context, l messageLog, lines []publication) error {
	attempts := e.retry.Begin()
	for {
		now := e.nowMs()
		ops, bodies := appendToLogs(keyspace.NewWriteID(now), now, func(string) messageLog { return l }, lines)
		if len(bodies) > 0 {
			if err := e.store.Load(ctx, bodies, nil); err != nil {
				return fmt.Errorf("writing long lines: %w", err)
			}
		}
		old, err := e.store.Apply(ctx, ops[0])
		var full *store.ConditionError
		if errors.As(err, &full) {
			e.tidyLog(ctx, l, full.Old)
			if err = attempts.Wait(ctx, err); err == nil {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("appending lines: %w", err)
		}
		e.published(l)
		if head, ok := store.ApplyEdits(old, ops[0].Edits); ok {
			e.tidyLog(ctx, l, head)
		}
		return nil
	}
}

// monitorLine is a command as MONITOR shows it: time, database and client, and the arguments
// quoted.
func monitorLine(now time.Time, client string, args []string) string {
	us := now.UnixMicro()
	b := fmt.Appendf(nil, "%d.%06d [0 %s]", us/1e6, us%1e6, client)
	for _, arg := range args {
		b = append(b, ' ')
		left := maxMonitored - len(b)
		if left <= 0 {
			return string(append(b, "..."...))
		}
		if len(arg) > left {
			b = append(appendQuoted(b, arg[:left]), "..."...)
			continue
		}
		b = appendQuoted(b, arg)
	}
	return string(b)
}

// appendQuoted writes a string the way Redis shows strings to people.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\', '"':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		case '\a':
			b = append(b, `\a`...)
		case '\b':
			b = append(b, `\b`...)
		default:
			if c < ' ' || c > '~' {
				b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
			} else {
				b = append(b, c)
			}
		}
	}
	return append(b, '"')
}
