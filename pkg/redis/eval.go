package redis

import (
	"context"
	"slices"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// Eval runs a script as EVAL does, but does not store it: EVALSHA and SCRIPT EXISTS do not find it,
// and it takes no space. Tools that look after a database use it for scripts of their own.
func (e *Engine) Eval(ctx context.Context, db *Database, a Access, source string, keys, args []string, w *resp.Writer) error {
	ctx, _, own := e.begin(ctx, db)
	defer own.End()
	b, err := e.bind(a, slices.Concat([]string{"EVAL", source, strconv.Itoa(len(keys))}, keys, args))
	if err != nil {
		w.Error(err.Error())
		return nil
	}
	cmd := *b.cmd
	cmd.Run, b.cmd = e.scripts.EvalUnkept, &cmd
	e.monitor(ctx, db, b)
	return e.run(ctx, db, b, nil, w)
}
