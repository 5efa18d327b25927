package wire

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis"
)

// CLIENT CACHING, GETNAME, GETREDIR, ID, INFO, KILL, LIST, NO-EVICT, NO-TOUCH, REPLY, SETINFO, SETNAME,
// TRACKING, TRACKINGINFO, UNBLOCK. They know the connections of the caller's database in this process.

// replyMode says whether commands are answered.
type replyMode uint8

const (
	replyOn   replyMode = iota
	replyOff            // none is
	replySkip           // the next one is not
	skipping            // this one is not
)

// answered ends a command: its replies are written.
func (c *conn) answered() {
	switch c.reply {
	case replySkip:
		c.w.Reset()
		c.reply = skipping
	case skipping:
		c.w.Reset()
		c.reply = replyOn
	case replyOff:
		c.w.Reset()
	}
}

// CLIENT REPLY (ON | OFF | SKIP)
func clientReply(b *batch, args []string) {
	mode := strings.ToLower(args[2])
	if err := b.encode(); err != nil {
		b.hangUp = true
		return
	}
	switch {
	case mode == "on":
		b.reply = replyOn
		b.w.OK()
	case mode == "off":
		b.reply = replyOff
	case mode == "skip" && b.reply != replyOff:
		b.reply = replySkip
	case mode != "skip":
		b.fail(errSyntax)
	}
}

// CLIENT ID
func clientID(b *batch, _ []string) { b.w.Int(b.id) }

// CLIENT GETNAME
func clientGetName(b *batch, _ []string) {
	b.seen.mu.Lock()
	name := b.seen.name
	b.seen.mu.Unlock()
	b.w.BulkOrNull(name, name != "")
}

// CLIENT SETNAME connection-name
func clientSetName(b *batch, args []string) {
	if !isName(args[2]) {
		b.fail(errClientName)
		return
	}
	b.rename(args[2])
	b.w.OK()
}

// maxName bounds the bytes of what a connection says of itself: they stay as long as it does.
const maxName = 1 << 10

// isName reports whether a connection can call itself so.
func isName(s string) bool { return len(s) <= maxName && isPrintable(s) }

func (c *conn) rename(name string) {
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	c.seen.name = strings.Clone(name)
}

// CLIENT SETINFO (LIB-NAME libname | LIB-VER libver)
func clientSetInfo(b *batch, args []string) {
	b.seen.mu.Lock()
	defer b.seen.mu.Unlock()
	var field *string
	switch strings.ToLower(args[2]) {
	case "lib-name":
		field = &b.seen.libName
	case "lib-ver":
		field = &b.seen.libVer
	default:
		b.fail("ERR Unrecognized option '" + args[2] + "'")
		return
	}
	if !isName(args[3]) {
		b.fail("ERR " + strings.ToLower(args[2]) + " cannot contain spaces, newlines or special characters.")
		return
	}
	*field = strings.Clone(args[3])
	b.w.OK()
}

// CLIENT NO-EVICT (ON | OFF)
// CLIENT NO-TOUCH (ON | OFF)
func clientSwitch(b *batch, args []string) {
	if !strings.EqualFold(args[2], "on") && !strings.EqualFold(args[2], "off") {
		b.fail(errSyntax)
		return
	}
	b.w.OK()
}

// CLIENT TRACKING (ON | OFF) ...
//
// A client that asks for messages about changed keys must not believe that it gets them: it would serve old values
// for ever. The error is the one of a server that does not know the command.
func clientTracking(b *batch, args []string) {
	if strings.EqualFold(args[2], "off") {
		b.w.OK()
		return
	}
	b.fail("ERR unknown subcommand '" + args[1] + "'. Try CLIENT HELP.")
}

// CLIENT TRACKINGINFO
func clientTrackingInfo(b *batch, _ []string) {
	b.w.Map(3)
	b.w.Bulk("flags")
	b.w.Set(1)
	b.w.Bulk("off")
	b.w.Bulk("redirect")
	b.w.Int(-1)
	b.w.Bulk("prefixes")
	b.w.Array(0)
}

// CLIENT CACHING (YES | NO)
func clientCaching(b *batch, _ []string) {
	b.fail("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
}

// CLIENT GETREDIR
func clientGetRedir(b *batch, _ []string) { b.w.Int(-1) }

// CLIENT INFO
func clientInfo(b *batch, _ []string) { b.w.Verbatim(b.describe() + "\n") }

// describe is the connection's line in CLIENT LIST.
func (c *conn) describe() string {
	now := c.s.now()
	output := c.pending()
	requests, multi := int(c.held[heldRequests].Load()), int(c.held[heldMulti].Load())
	events, waiting := "r", 0
	if output > 0 {
		events, waiting = "rw", 1
	}
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	s := &c.seen
	user := ""
	if l := c.login.Load(); l != nil {
		user = l.user
	}
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=0 sub=%d psub=%d ssub=%d multi=%d qbuf=%d qbuf-free=0 argv-mem=0 multi-mem=%d "+
		"rbs=0 rbp=0 obl=0 oll=%d omem=%d tot-mem=%d events=%s cmd=%s user=%s redir=-1 resp=%d lib-name=%s lib-ver=%s",
		c.id, c.Net.RemoteAddr(), c.Net.LocalAddr(), 0, s.name, int64(now.Sub(c.began)/time.Second), int64(now.Sub(s.at)/time.Second), c.flagsOf(s),
		len(s.channels), len(s.patterns), len(s.shards), s.queued, requests, multi, waiting, output, connectionBytes+requests+multi+output, events, strings.ToLower(quoteName(s.command)), user, s.proto, s.libName, s.libVer)
}

// quoteName is a command's name in a line of CLIENT LIST: what a client sends may hold blanks.
func quoteName(name string) string {
	if name == "" || !isPrintable(name) {
		return "NULL"
	}
	return name
}

func (c *conn) flagsOf(s *seen) string {
	flags := ""
	if s.monitors {
		flags += "O"
	}
	if len(s.channels)+len(s.patterns) > 0 {
		flags += "P"
	}
	if s.queued >= 0 {
		flags += "x"
	}
	if c.blocked.Load() {
		flags += "b"
	}
	if flags == "" {
		return "N"
	}
	return flags
}

// isPubSub reports whether a connection counts as a subscriber in lists of clients.
func (c *conn) isPubSub() bool {
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	return len(c.seen.channels)+len(c.seen.patterns)+len(c.seen.shards) > 0
}

// neighbours are the connections of the caller's database, in order of their ids.
func (b *batch) neighbours() []*conn {
	all := slices.DeleteFunc(b.s.conns.All(), func(c *conn) bool {
		l := c.login.Load()
		return l == nil || l.database != b.Database.ID
	})
	slices.SortFunc(all, func(x, y *conn) int { return int(x.id - y.id) })
	return all
}

// typeTest is the test for a type of clients; nil: there is no such type.
func typeTest(name string) func(*conn) bool {
	switch strings.ToLower(name) {
	case "normal":
		return func(c *conn) bool { return !c.isPubSub() }
	case "pubsub":
		return (*conn).isPubSub
	case "master", "replica", "slave":
		return func(*conn) bool { return false }
	}
	return nil
}

// CLIENT LIST [TYPE (NORMAL | MASTER | REPLICA | PUBSUB)] [ID client-id [client-id ...]]
func clientList(b *batch, args []string) {
	listed := func(*conn) bool { return true }
	switch {
	case len(args) == 2:
	case len(args) == 4 && strings.EqualFold(args[2], "type"):
		if listed = typeTest(args[3]); listed == nil {
			b.fail("ERR Unknown client type '" + args[3] + "'")
			return
		}
	case len(args) > 3 && strings.EqualFold(args[2], "id"):
		ids := map[int64]bool{}
		for _, arg := range args[3:] {
			id, ok := integer(arg)
			if !ok {
				b.fail("ERR Invalid client ID")
				return
			}
			ids[id] = true
		}
		listed = func(c *conn) bool { return ids[c.id] }
	default:
		b.fail(errSyntax)
		return
	}
	var text strings.Builder
	for _, c := range b.neighbours() {
		if listed(c) {
			text.WriteString(c.describe())
			text.WriteByte('\n')
		}
	}
	b.w.Verbatim(text.String())
}

// CLIENT KILL ip:port
// CLIENT KILL [ID client-id] [TYPE type] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME yes/no]
func clientKill(b *batch, args []string) {
	if len(args) == 3 {
		for _, c := range b.neighbours() {
			if c.Net.RemoteAddr().String() == args[2] {
				b.kill(c)
				b.w.OK()
				return
			}
		}
		b.fail(errNoClient)
		return
	}
	tests, skipMe, text := killTests(args[2:])
	if text != "" {
		b.fail(text)
		return
	}
	if name, err := b.strangerIn(args[2:]); err != nil || name != "" {
		if text = "ERR No such user '" + name + "'"; err != nil {
			text = b.failedText(err)
		}
		b.fail(text)
		return
	}
	killed := int64(0)
	for _, c := range b.neighbours() {
		if c == b.conn && skipMe || !passes(c, tests) {
			continue
		}
		b.kill(c)
		killed++
	}
	b.w.Int(killed)
}

// strangerIn is the user that the options of CLIENT KILL name and that there is not; "": there is none such. The name that a client
// logged in by, with a token, is as good as a user's.
func (b *batch) strangerIn(options []string) (string, error) {
	for i := 0; i < len(options); i += 2 {
		name := options[i+1]
		if !strings.EqualFold(options[i], "user") || name == "default" {
			continue
		}
		users, err := b.s.engine.Users(b.ctx, b.Database)
		if err != nil {
			return "", err
		}
		uses := func(c *conn) bool { l := c.login.Load(); return l != nil && l.user == name }
		if !slices.ContainsFunc(users, func(u redis.User) bool { return u.Name == name }) && !slices.ContainsFunc(b.neighbours(), uses) {
			return name, nil
		}
	}
	return "", nil
}

func passes(c *conn, tests map[string]func(*conn) bool) bool {
	for _, test := range tests {
		if !test(c) {
			return false
		}
	}
	return true
}

// killTests are what a connection must be for CLIENT KILL to close it, by the names of options. Of one that is given several
// times, the last counts.
func killTests(args []string) (tests map[string]func(*conn) bool, skipMe bool, text string) {
	tests, skipMe = map[string]func(*conn) bool{}, true
	if len(args)%2 != 0 {
		return nil, false, errSyntax
	}
	for i := 0; i < len(args); i += 2 {
		option, value := strings.ToLower(args[i]), args[i+1]
		switch option {
		case "id":
			id, ok := integer(value)
			if !ok || id < 1 {
				return nil, false, "ERR client-id should be greater than 0"
			}
			tests[option] = func(c *conn) bool { return c.id == id }
		case "type":
			test := typeTest(value)
			if test == nil {
				return nil, false, "ERR Unknown client type '" + value + "'"
			}
			tests[option] = test
		case "user":
			tests[option] = func(c *conn) bool { l := c.login.Load(); return l != nil && l.user == value }
		case "addr":
			tests[option] = func(c *conn) bool { return c.Net.RemoteAddr().String() == value }
		case "laddr":
			tests[option] = func(c *conn) bool { return c.Net.LocalAddr().String() == value }
		case "skipme":
			if !strings.EqualFold(value, "yes") && !strings.EqualFold(value, "no") {
				return nil, false, errSyntax
			}
			skipMe = strings.EqualFold(value, "yes")
		default:
			return nil, false, errSyntax
		}
	}
	return tests, skipMe, ""
}

// kill closes a connection; the caller's own behind its reply.
func (b *batch) kill(c *conn) {
	if c == b.conn {
		b.hangUp, b.over = true, true
		return
	}
	c.Close()
}

// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]
func clientUnblock(b *batch, args []string) {
	fails := false
	if len(args) > 3 {
		fails = strings.EqualFold(args[3], "error")
		if len(args) > 4 || !fails && !strings.EqualFold(args[3], "timeout") {
			b.fail("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
			return
		}
	}
	id, ok := integer(args[2])
	if !ok {
		b.fail(errInteger)
		return
	}
	for _, c := range b.neighbours() {
		if c.id == id && c.unblock(fails) {
			b.w.Int(1)
			return
		}
	}
	b.w.Int(0)
}
