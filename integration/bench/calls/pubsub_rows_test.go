package calls

import (
	"context"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// messages measures what publishers pay. The subscriber is on another instance, whose requests are not counted.
func (b *bench) messages() []row {
	b.t.Helper()
	st := dynamo.New(dynamolocal.Client(b.t), b.table)
	other := redis.New(redis.Config{Store: st, Now: b.clock.now, RecordTTL: time.Hour})
	defer st.Close()
	large := strings.Repeat("x", 2000)
	var rows []row
	measure := func(before string, cmds ...string) {
		db := b.database()
		if before != "no subscriber" {
			sub, err := other.Subscribe(b.t.Context(), db, redis.Access{}, []string{"c"}, nil)
			if err != nil {
				b.t.Fatal(err)
			}
			defer sub.Close()
		}
		for _, line := range cmds {
			r := row{what: strings.Replace(line, large, "<2,000 bytes>", 1), before: before}
			if line, is := strings.CutPrefix(line, "multi-exec: "); is {
				r.cost = b.post(db, "/multi-exec", strings.Split(line, "; "))
			} else {
				r.cost = b.measureNow(line, func(ctx context.Context) error {
					_, err := b.do(ctx, db, split(line)...)
					return err
				})
			}
			if !strings.Contains(line, large) {
				b.checkUnits(before+": "+line, r.cost, false)
			}
			rows = append(rows, r)
		}
	}
	measure("no subscriber", "PUBLISH c message", "multi-exec: SET k v; PUBLISH c message", "PUBSUB CHANNELS", "PUBSUB NUMSUB c", "PUBSUB NUMPAT")
	measure("a subscriber", "PUBLISH c message", "PUBLISH c "+large, "PUBSUB CHANNELS", "PUBSUB NUMSUB c")
	measure("a subscriber", "multi-exec: SET k v; PUBLISH c message")
	return rows
}
