package redis

import (
	"context"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// Counted runs commands, as one transaction if they are several, and returns how many units of work they
// have spent. Commands are as for Do and Multi.
func (e *Engine) Counted(ctx context.Context, db *Database, cmds [][]string, w *resp.Writer) (units int64, err error) {
	ctx, turn, own := e.begin(ctx, db)
	defer own.End()
	limits := keyspace.NewAllowance(e.budget, turn)
	group := make([]bound, len(cmds))
	for i, args := range cmds {
		b, err := e.bind(Access{}, args)
		if err != nil {
			w.Error(err.Error())
			return 0, nil
		}
		b.budget = &limits
		group[i] = b
	}
	if len(group) == 1 {
		err = e.run(ctx, db, group[0], nil, w)
	} else if err = tooManyWrites(group); err == nil {
		err = e.transact(ctx, db, group, transactMode{multi: true}, keyspace.Handover{}, w)
	}
	return limits.Used(), err
}

// Turns is how many turns are free, and how many requests wait for one.
func (e *Engine) Turns() (free, waiting int) { return e.turns.Count() }
