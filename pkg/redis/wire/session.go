package wire

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/gate"
	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// AUTH, HELLO, RESET, QUIT, PING of subscribers, SELECT.

func integer(s string) (int64, bool) { return num.ParseInt(s) }

// AUTH [username] password
func auth(b *batch, args []string) {
	user, secret := "", args[1]
	switch len(args) {
	case 2:
	case 3:
		user, secret = args[1], args[2]
	default:
		b.fail(errSyntax)
		return
	}
	if text := b.authenticate(user, secret); text != "" {
		b.fail(text)
		return
	}
	b.w.OK()
}

// authenticate logs the connection in, or says why not. Then it keeps the login that it has.
func (b *batch) authenticate(user, secret string) (text string) {
	l, grant, err := b.s.logIn(b.ctx, user, secret, b.label)
	switch {
	case errors.Is(err, gate.ErrRefused):
		if b.failures++; b.failures >= maxFailures {
			b.hangUp = true
		}
		b.pause(failureTime)
		return errWrongPass
	case err != nil:
		return b.failedText(err)
	case !b.mayBecome(l, grant.Access):
		return errStillListens
	case !b.s.enter(b.conn, l):
		b.hangUp = b.login.Load() == nil
		return errMaxClients
	}
	if old := b.login.Swap(l); old != nil && old.database != l.database {
		b.forget()
	}
	b.failures, b.over, b.in.strange = 0, true, false
	return ""
}

// mayBecome reports whether the connection may go on with another login. What it receives would outlive the credential
// that it was asked for with, if the new one could not have asked for it.
func (b *batch) mayBecome(l *login, a redis.Access) bool {
	old := b.login.Load()
	return old == nil || !b.listens() && b.subs.commands == nil || old.database == l.database && b.mayHear(a)
}

// pause waits, so that guessing takes time.
func (b *batch) pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(b.Life, d)
	defer cancel()
	<-ctx.Done()
}

// greeting is what HELLO asks for.
type greeting struct {
	proto        int
	auth         bool
	user, secret string
	named        bool
	name         string
}

// HELLO [protover [AUTH username password] [SETNAME clientname]]
//
// All of it takes effect, or nothing does.
func hello(b *batch, args []string) {
	g, text := readGreeting(args, b.proto)
	if text == "" && g.auth {
		text = b.authenticate(g.user, g.secret)
	}
	if text == "" && b.login.Load() == nil {
		text = errHelloNoAuth
	}
	if text != "" {
		b.fail(text)
		return
	}
	if g.named {
		b.rename(g.name)
	}
	b.speak(g.proto)
	b.w.Map(7)
	for _, field := range [][2]string{{"server", "redis"}, {"version", redis.Version}} {
		b.w.Bulk(field[0])
		b.w.Bulk(field[1])
	}
	b.w.Bulk("proto")
	b.w.Int(int64(b.proto))
	b.w.Bulk("id")
	b.w.Int(b.id)
	for _, field := range [][2]string{{"mode", "standalone"}, {"role", "master"}} {
		b.w.Bulk(field[0])
		b.w.Bulk(field[1])
	}
	b.w.Bulk("modules")
	b.w.Array(0)
}

func readGreeting(args []string, proto int) (g greeting, text string) {
	g.proto = proto
	if len(args) == 1 {
		return g, ""
	}
	n, ok := integer(args[1])
	if !ok {
		return g, errProtoNumber
	}
	if n != 2 && n != 3 {
		return g, errNoProto
	}
	g.proto = int(n)
	for i := 2; i < len(args); i++ {
		left := len(args) - i - 1
		switch {
		case strings.EqualFold(args[i], "auth") && left >= 2:
			g.auth, g.user, g.secret = true, args[i+1], args[i+2]
			i += 2
		case strings.EqualFold(args[i], "setname") && left >= 1:
			if !isName(args[i+1]) {
				return g, errClientName
			}
			g.named, g.name = true, args[i+1]
			i++
		default:
			return g, "ERR Syntax error in HELLO option '" + args[i] + "'"
		}
	}
	return g, ""
}

// speak changes the protocol. Replies that were written before are in the old one.
func (b *batch) speak(proto int) {
	if proto == b.proto {
		return
	}
	if err := b.encode(); err != nil {
		b.hangUp = true
	}
	b.sending.Lock() // messages are in the new protocol from now on
	b.proto = proto
	b.sending.Unlock()
	b.seen.mu.Lock()
	defer b.seen.mu.Unlock()
	b.seen.proto = proto
}

// RESET
func reset(b *batch, _ []string) {
	b.drop()
	b.forget()
	b.subs.end(b.conn)
	b.reply, b.refused = replyOn, ""
	b.speak(2)
	b.rename("")
	b.login.Store(nil)
	b.s.enter(b.conn, nil)
	b.in.strange, b.over, b.began = true, true, b.s.now()
	b.w.Simple("RESET")
}

// QUIT
func quit(b *batch, _ []string) {
	b.w.OK()
	b.hangUp, b.over = true, true
}

// PING [message]
//
// A subscriber of RESP2 tells the reply from messages by its form.
func pingListening(b *batch, args []string) {
	b.w.Array(2)
	b.w.Bulk("pong")
	if len(args) > 1 {
		b.w.Bulk(args[1])
	} else {
		b.w.Bulk("")
	}
}

// SELECT index
//
// Some clients go on after an error, and mix the data of what they think are several databases. So no command about
// keys is carried out until database 0 is selected.
func selectDB(b *batch, args []string) {
	n, ok := integer(args[1])
	switch {
	case !ok:
		b.fail(errInteger)
	case n != 0:
		b.refused = errDBIndex
		b.fail(errDBIndex)
	default:
		b.refused = ""
		b.w.OK()
	}
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return true
}
