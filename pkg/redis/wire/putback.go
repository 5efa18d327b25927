package wire

import (
	"context"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// putBack undoes a pop whose client has gone while it was carried out. The elements go back to where they were, so that
// whoever waits next gets them. What a client has moved or read has not left the database.
func (b *batch) putBack(args []string, reply []byte) {
	push := pushBack(args, reply)
	if push == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.Life), b.s.cfg.Timeout)
	defer cancel()
	var w resp.Writer
	err := b.s.engine.Do(ctx, b.Database, redis.Access{}, push, &w)
	if text, failed := resp.ErrorText(w.Buf); err != nil || failed {
		b.logger().Error("what was popped for a client that has gone is lost", "database", b.Database.ID, "command", args[0], "error", err, "reply", text)
	}
}

// pushBack is the command that undoes a pop; nil: there is nothing to undo.
func pushBack(args []string, reply []byte) []string {
	decoded, err := resp.Decode(reply)
	popped, ok := decoded.([]any)
	if err != nil || !ok || len(popped) < 2 {
		return nil
	}
	key, _ := popped[0].(string)
	elements, _ := popped[1].([]any)
	switch name := strings.ToLower(args[0]); name {
	case "blpop", "brpop":
		element, _ := popped[1].(string)
		return []string{name[1:2] + "push", key, element}
	case "blmpop":
		side := "r"
		if n, ok := integer(args[2]); ok && int(n)+3 < len(args) && strings.EqualFold(args[n+3], "left") {
			side = "l"
		}
		out := []string{side + "push", key}
		for _, e := range slices.Backward(elements) {
			element, _ := e.(string)
			out = append(out, element)
		}
		return out
	case "bzpopmin", "bzpopmax":
		if len(popped) != 3 {
			return nil
		}
		return append([]string{"zadd", key, "nx"}, scored(popped[1:])...)
	case "bzmpop":
		out := []string{"zadd", key, "nx"}
		for _, e := range elements {
			pair, _ := e.([]any)
			out = append(out, scored(pair)...)
		}
		return out
	}
	return nil
}

// scored is a member with its score as ZADD takes them.
func scored(pair []any) []string {
	if len(pair) != 2 {
		return nil
	}
	member, _ := pair[0].(string)
	score, _ := pair[1].(float64)
	return []string{resp.FormatDouble(score), member}
}
