package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

const (
	// monitorLife is how long the attribute in the record holds. It is renewed every 20 seconds.
	monitorLife = time.Minute
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
	return e.pubsub.Monitor(ctx, db, func(ctx context.Context) error { return e.markMonitored(ctx, db.ID) })
}

// markMonitored asks all instances to log the database's commands for a minute.
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
	var lines []string
	for _, b := range cmds {
		if !b.cmd.Has(command.Admin) {
			lines = append(lines, monitorLine(now, clientAddr(ctx), b.args))
		}
	}
	e.logLines(ctx, db, lines)
}

func (e *Engine) logLines(ctx context.Context, db *Database, lines []string) {
	if len(lines) == 0 {
		return
	}
	if err := e.pubsub.Log(ctx, db, lines); err != nil {
		e.log.WarnContext(ctx, "logging commands for a monitor", "error", err)
	}
}

// MonitorBound logs a command that a server of connections has carried out itself, if somebody looks.
func (e *Engine) MonitorBound(ctx context.Context, db *Database, args []string) {
	if db.Monitored == 0 {
		return
	}
	cmd := e.commands.Of(args)
	if cmd == nil {
		return
	}
	if secret[cmd.Name] {
		args = redacted(args)
	}
	e.logCommands(ctx, db, []bound{{cmd: cmd, args: args}})
}

// secret are commands with secrets among their arguments.
var secret = map[string]bool{"auth": true, "hello": true}

// redacted are the arguments of AUTH or HELLO without secrets.
func redacted(args []string) []string {
	args = slices.Clone(args)
	from := 1
	if strings.EqualFold(args[0], "hello") {
		from = len(args)
		if i := slices.IndexFunc(args, func(arg string) bool { return strings.EqualFold(arg, "auth") }); i >= 0 {
			from = i + 1
		}
	}
	for i := from; i < len(args); i++ {
		args[i] = "(redacted)"
	}
	return args
}

// maxScriptLines and maxScriptBytes bound what is shown of a script. What it runs besides is not shown.
const (
	maxScriptLines = 1000
	maxScriptBytes = 256 << 10
)

// scriptLines are the commands that scripts have run in one attempt of a transaction, as MONITOR shows them.
type scriptLines struct {
	now   func() time.Time
	lines []string
	bytes int
}

func (s *scriptLines) reset() {
	if s != nil {
		s.lines, s.bytes = nil, 0
	}
}

func (s *scriptLines) add(cmd *command.Command, args []string) {
	if cmd.Has(command.Admin) || len(s.lines) >= maxScriptLines || s.bytes >= maxScriptBytes {
		return
	}
	line := monitorLine(s.now(), "lua", args)
	s.lines = append(s.lines, line)
	s.bytes += len(line)
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
