package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// call is an authorized request.
type call struct {
	h      *Handler
	ctx    context.Context // of the request, as long as it runs
	r      *Request
	x      *exchange
	bearer string
	db     *redis.Database
	access redis.Access
	near   bool // they are for the replica of a read region only, see region.go
}

// open finds out which database the request is for, and what it may do there.
func (c *call) open() (err error) {
	c.near = false
	if c.db, c.access, err = c.h.authorize(c.ctx, c.r.Host, c.bearer); err != nil {
		return err
	}
	c.enter()
	if blocked := c.db.Blocked; blocked.Text != "" && blocked.Holds(c.h.now()) {
		c.x.used.blocked, c.x.used.commands, c.x.used.class = true, 0, ""
		return badRequest(blocked.Text)
	}
	return nil
}

// hasBody reports whether the request's method is one whose body counts.
func (c *call) hasBody() bool {
	return c.r.Method == http.MethodPost || c.r.Method == http.MethodPut
}

// path carries out a command given by the path and whatever follows it.
func (c *call) path(args, query []string) error {
	if c.hasBody() {
		body, err := c.x.read(c.r, c.h.maxCommand, c.h.maxBody)
		if err != nil {
			return err
		}
		if len(body) > 0 {
			args = append(args, string(body))
		}
	}
	return c.single(append(args, query...))
}

// json carries out a command given as a JSON array.
func (c *call) json() error {
	body, err := c.jsonBody()
	if err != nil {
		return err
	}
	args, err := c.x.parser.command(body)
	if err != nil {
		return err
	}
	return c.single(args)
}

func (c *call) jsonBody() ([]byte, error) {
	if !c.hasBody() {
		return nil, errNoBody
	}
	return c.x.read(c.r, c.h.maxBody, c.h.maxBody)
}

// single runs one command and answers with its reply alone.
func (c *call) single(args []string) error {
	f, err := formatOf(c.r.Header)
	if err != nil {
		return err
	}
	if n := size(args); n > c.h.maxCommand {
		return errTooLarge(c.h.maxCommand, n)
	}
	c.count(args)
	w := &c.x.replies
	if needsConnection(args[0]) {
		w.Error(needsConnectionText(args[0]))
	} else if err := c.do(args); err != nil {
		return err
	}
	reply := c.limited(w.Buf)
	if text, failed := resp.ErrorText(reply); failed && !strings.HasPrefix(text, tooLargeText) {
		c.x.status = http.StatusBadRequest
	}
	return c.x.one(reply, f)
}

func (c *call) do(args []string) error {
	if near, err := c.readReplica(args); near || err != nil {
		return err
	}
	return c.h.engine.Do(c.ctx, c.db, c.access, args, &c.x.replies)
}

// pipeline runs commands one after the other.
func (c *call) pipeline() error {
	f, err := formatOf(c.r.Header)
	if err != nil {
		return err
	}
	cmds, err := c.commands(http.StatusRequestEntityTooLarge)
	if err != nil {
		return err
	}
	c.count(cmds...)
	if near, err := c.readReplica(cmds...); near {
		return c.several(len(cmds), f)
	} else if err != nil {
		return err
	}
	// The engine gets as many at once as there are without one that it must not see.
	ctx, w := c.ctx, &c.x.replies
	start := 0
	for i, args := range cmds {
		if !needsConnection(args[0]) {
			continue
		}
		if start < i {
			c.h.engine.Pipeline(ctx, c.db, c.access, cmds[start:i], w)
		}
		w.Error(needsConnectionText(args[0]))
		start = i + 1
	}
	if start < len(cmds) {
		c.h.engine.Pipeline(ctx, c.db, c.access, cmds[start:], w)
	}
	return c.several(len(cmds), f)
}

// multi runs commands as a transaction.
func (c *call) multi() error {
	cmds, err := c.commands(http.StatusBadRequest)
	if err != nil {
		return err
	}
	for _, args := range cmds {
		if needsConnection(args[0]) {
			return badRequest(needsConnectionText(args[0]))
		}
	}
	if err := c.leaveReplica(); err != nil {
		return err
	}
	c.count(cmds...)
	err = c.h.engine.Multi(c.ctx, c.db, c.access, cmds, &c.x.replies)
	var refused redis.Error
	if errors.As(err, &refused) {
		return badRequest(string(refused))
	}
	if err != nil {
		return err
	}
	return c.several(len(cmds), format{base64: wantsBase64(c.r.Header)})
}

// commands reads the members of a pipeline or a transaction. One that is too
// large refuses them all, with the status given.
func (c *call) commands(tooLargeStatus int) ([][]string, error) {
	body, err := c.jsonBody()
	if err != nil {
		return nil, err
	}
	cmds, err := c.x.parser.commands(body)
	if err != nil {
		return nil, err
	}
	for _, args := range cmds {
		if n := size(args); n > c.h.maxCommand {
			return nil, &refusal{tooLargeStatus, tooLarge(c.h.maxCommand, n)}
		}
	}
	return cmds, nil
}

// several answers with the n replies that were written.
func (c *call) several(n int, f format) error {
	rest := c.x.replies.Buf
	if !f.resp2 {
		c.x.out = append(c.x.out, '[')
	}
	for i := range n {
		reply, after, err := resp.Cut(rest)
		if err != nil {
			return fmt.Errorf("reply %d of %d: %w", i+1, n, err)
		}
		if i > 0 && !f.resp2 {
			c.x.out = append(c.x.out, ',')
		}
		if err := c.x.one(c.limited(reply), f); err != nil {
			return err
		}
		rest = after
	}
	if len(rest) > 0 {
		return fmt.Errorf("%d bytes after reply %d", len(rest), n)
	}
	if !f.resp2 {
		c.x.out = append(c.x.out, ']')
	}
	return nil
}

// limited is a reply, or an error in its place if it is too large.
func (c *call) limited(reply []byte) []byte {
	if int64(len(reply)) <= c.h.maxCommand {
		return reply
	}
	var w resp.Writer
	w.Error(tooLarge(c.h.maxCommand, int64(len(reply))))
	return w.Buf
}
