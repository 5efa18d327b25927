package rest

import (
	"github.com/skystash/skystash/pkg/redis"
)

// maxAheadBytes is the size up to which a body is read before the token has been checked.
const maxAheadBytes = 16 << 10

// readAhead lets the engine read the database's record in one call with the keys that the request
// reads first, where it has to read the record. The token is checked afterwards: nothing that was
// read for a request is answered before its token has been found good.
func (x *exchange) readAhead() {
	if x.s.foreseen == nil {
		x.s.foreseen = x.foreseen
	}
	switch {
	case x.bearer == "":
	case redis.IsUserToken(x.bearer):
		x.ctx = x.h.engine.AheadOfUser(x.ctx, x.bearer, x.s.foreseen)
	default:
		if id := x.h.verifier.Resource(x.bearer); id != "" {
			x.ctx = x.h.engine.Ahead(x.ctx, id, x.s.foreseen)
		}
	}
}

// foreseen are the request's commands, if they can be told at little cost. What is wrong with the
// request is found out later.
func (x *exchange) foreseen() [][]string {
	path, err := pathArgs(x.r.Path)
	if err != nil {
		return nil
	}
	switch {
	case len(path) == 0:
		if body := x.smallBody(); body != nil {
			if args, err := x.s.parser.command(body); err == nil {
				return [][]string{args}
			}
		}
	case isEndpoint(path, "pipeline"):
		if body := x.smallBody(); body != nil {
			if cmds, err := x.s.parser.commands(body); err == nil {
				return cmds
			}
		}
	case !isEndpoint(path, "multi-exec") && !isStream(path[0]) && !x.hasBody():
		if query, _, err := queryArgs(x.r.Query); err == nil {
			return [][]string{append(path, query...)}
		}
	}
	return nil
}

// smallBody is the body of a request if it is short, and announced as such.
func (x *exchange) smallBody() []byte {
	if !x.hasBody() || x.r.Length <= 0 || x.r.Length > min(maxAheadBytes, x.h.maxCommand) || x.r.Header.Get("Content-Encoding") != "" {
		return nil
	}
	body, err := x.s.read(x.ctx, x.r, x.h.maxCommand, x.h.maxBody)
	if err != nil {
		return nil
	}
	return body
}
