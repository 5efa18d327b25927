package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// exchange is an authorized request on its way to its answer.
type exchange struct {
	h      *Handler
	ctx    context.Context // of the request, as long as it runs
	r      *Request
	s      *scratch
	bearer string
	db     *redis.Database
	access redis.Access
	near   bool // they are for the replica of a read region only, see region.go
}

// What a byte costs outside of the engine, in units of work as redis.Budget has them.
const (
	parseWork  = 10 // of a body
	renderWork = 5  // of a reply
	zipWork    = 12 // of an answer that is compressed
)

// open finds out which database the request is for, and what it may do there.
func (x *exchange) open() (err error) {
	x.near = false
	x.readAhead()
	if x.db, x.access, err = x.h.authorize(x.ctx, x.r.Host, x.bearer); err != nil {
		return err
	}
	x.onlyRead()
	x.enter()
	if blocked := x.db.Blocked; blocked.Text != "" && blocked.Holds(x.h.now()) {
		x.s.used.blocked, x.s.used.commands, x.s.used.class = true, 0, ""
		return badRequest(blocked.Text)
	}
	return nil
}

// onlyRead makes sure that HEAD changes nothing, whatever the token allows: the engine refuses all commands
// that might, by the rules for read-only tokens.
func (x *exchange) onlyRead() {
	if x.r.Method == http.MethodHead {
		x.access.ReadOnly = true
	}
}

// hasBody reports whether the request's method is one whose body counts.
func (x *exchange) hasBody() bool {
	return x.r.Method == http.MethodPost || x.r.Method == http.MethodPut
}

// path carries out a command given by the path and whatever follows it.
func (x *exchange) path(args, query []string) error {
	if x.hasBody() {
		body, err := x.s.read(x.ctx, x.r, x.h.maxCommand, x.h.maxBody)
		if err != nil {
			return err
		}
		if len(body) > 0 {
			if err := x.copies(body); err != nil {
				return err
			}
			args = append(args, string(body))
			x.s.parsed()
		}
	}
	return x.single(append(args, query...))
}

// json carries out a command given as a JSON array.
func (x *exchange) json() error {
	body, err := x.jsonBody()
	if err != nil {
		return err
	}
	if err := x.parses(body); err != nil {
		return err
	}
	args, err := x.s.parser.command(body)
	if err != nil {
		return err
	}
	x.s.parsed()
	return x.single(args)
}

// parses counts what it takes to parse a body: work, and a copy if it was inflated.
func (x *exchange) parses(body []byte) error {
	if err := x.s.turn.Spend(x.ctx, parseWork*int64(len(body))); err != nil {
		return err
	}
	x.s.parser.turn = x.s.turn
	return x.copies(body)
}

// copies counts the arguments that are made of a body that was inflated.
func (x *exchange) copies(body []byte) error {
	if !x.s.inflated {
		return nil
	}
	if err := x.s.turn.Hold(int64(len(body))); err != nil {
		return badRequest(err.Error())
	}
	return nil
}

func (x *exchange) jsonBody() ([]byte, error) {
	if !x.hasBody() {
		return nil, errNoBody
	}
	return x.s.read(x.ctx, x.r, x.h.maxBody, x.h.maxBody)
}

// single runs one command and answers with its reply alone.
func (x *exchange) single(args []string) error {
	f, err := formatOf(x.r.Header)
	if err != nil {
		return err
	}
	if n := size(args); n > x.h.maxCommand {
		return errTooLarge(x.h.maxCommand, n)
	}
	x.count(args)
	w := &x.s.replies
	if x.h.engine.NeedsConnection(args[0]) {
		w.Error(needsConnectionText(args[0]))
	} else if err := x.do(args); err != nil {
		return err
	}
	if err := x.s.turn.Spend(x.ctx, renderWork*int64(len(w.Buf))); err != nil {
		return err
	}
	reply := x.limited(w.Buf)
	if text, failed := resp.ErrorText(reply); failed && !strings.HasPrefix(text, tooLargeText) {
		x.s.status = http.StatusBadRequest
		if x.r.Method == http.MethodHead && strings.HasPrefix(text, "NOPERM") {
			return errHead
		}
	}
	x.ran(args, reply)
	return x.s.one(reply, f)
}

func (x *exchange) do(args []string) error {
	if near, err := x.readReplica(args); near || err != nil {
		return err
	}
	return x.h.engine.Do(x.ctx, x.db, x.access, args, &x.s.replies)
}

// pipeline runs commands one after the other.
func (x *exchange) pipeline() error {
	f, err := formatOf(x.r.Header)
	if err != nil {
		return err
	}
	cmds, err := x.commands(http.StatusRequestEntityTooLarge)
	if err != nil {
		return err
	}
	x.count(cmds...)
	if near, err := x.readReplica(cmds...); near {
		return x.several(cmds, f)
	} else if err != nil {
		return err
	}
	// Commands that need a connection are refused here. The engine gets each run of commands
	// between two of them in one call.
	ctx, w := x.ctx, &x.s.replies
	start := 0
	for i, args := range cmds {
		if !x.h.engine.NeedsConnection(args[0]) {
			continue
		}
		if start < i {
			x.h.engine.Pipeline(ctx, x.db, x.access, cmds[start:i], w)
		}
		w.Error(needsConnectionText(args[0]))
		start = i + 1
	}
	if start < len(cmds) {
		x.h.engine.Pipeline(ctx, x.db, x.access, cmds[start:], w)
	}
	return x.several(cmds, f)
}

// multi runs commands as a transaction.
func (x *exchange) multi() error {
	cmds, err := x.commands(http.StatusBadRequest)
	if err != nil {
		return err
	}
	for _, args := range cmds {
		if x.h.engine.NeedsConnection(args[0]) {
			return badRequest(needsConnectionText(args[0]))
		}
	}
	if err := x.leaveReplica(); err != nil {
		return err
	}
	x.count(cmds...)
	err = x.h.engine.Multi(x.ctx, x.db, x.access, cmds, &x.s.replies)
	var refused redis.Error
	if errors.As(err, &refused) {
		return badRequest(string(refused))
	}
	if err != nil {
		return err
	}
	return x.several(cmds, format{base64: wantsBase64(x.r.Header)})
}

// commands reads the members of a pipeline or a transaction. One that is too
// large refuses them all, with the status given.
func (x *exchange) commands(tooLargeStatus int) ([][]string, error) {
	body, err := x.jsonBody()
	if err != nil {
		return nil, err
	}
	if err := x.parses(body); err != nil {
		return nil, err
	}
	cmds, err := x.s.parser.commands(body)
	if err != nil {
		return nil, err
	}
	x.s.parsed()
	for _, args := range cmds {
		if n := size(args); n > x.h.maxCommand {
			return nil, edge.Refuse(tooLargeStatus, tooLarge(x.h.maxCommand, n))
		}
	}
	return cmds, nil
}

// several answers with the replies of commands that were written.
func (x *exchange) several(cmds [][]string, f format) error {
	n, rest := len(cmds), x.s.replies.Buf
	if err := x.s.turn.Spend(x.ctx, renderWork*int64(len(rest))); err != nil {
		return err
	}
	if !f.resp2 {
		x.s.out = append(x.s.out, '[')
	}
	for i, args := range cmds {
		reply, after, err := resp.Cut(rest)
		if err != nil {
			return fmt.Errorf("reply %d of %d: %w", i+1, n, err)
		}
		if i > 0 && !f.resp2 {
			x.s.out = append(x.s.out, ',')
		}
		reply = x.limited(reply)
		x.ran(args, reply)
		if err := x.s.one(reply, f); err != nil {
			return err
		}
		rest = after
	}
	if len(rest) > 0 {
		return fmt.Errorf("%d bytes after reply %d", len(rest), n)
	}
	if !f.resp2 {
		x.s.out = append(x.s.out, ']')
	}
	return nil
}

// limited is a reply, or an error in its place if it is too large.
func (x *exchange) limited(reply []byte) []byte {
	if int64(len(reply)) <= x.h.maxCommand {
		return reply
	}
	var w resp.Writer
	w.Error(tooLarge(x.h.maxCommand, int64(len(reply))))
	return w.Buf
}
