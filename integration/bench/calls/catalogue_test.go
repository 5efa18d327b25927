package calls

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// catalogue is the engine's command table, as COMMAND INFO tells it.
type catalogue map[string]commandInfo

type commandInfo struct {
	name  string // "get", "memory|usage"
	flags []any
	keyed bool
}

// touchesData reports whether a command reads or writes keys.
func (c commandInfo) touchesData() bool {
	return c.keyed || slices.Contains(c.flags, any(resp.Simple("write"))) || slices.Contains(c.flags, any(resp.Simple("readonly")))
}

// catalogue reads the command table.
func (b *bench) catalogue(db *redis.Database) catalogue {
	b.t.Helper()
	reply, err := b.do(b.t.Context(), db, "COMMAND", "INFO")
	if err != nil {
		b.t.Fatal(err)
	}
	all := catalogue{}
	all.add(reply.([]any))
	delete(all, "watch") // which a server of connections carries out itself
	return all
}

func (all catalogue) add(infos []any) {
	for _, info := range infos {
		fields := info.([]any)
		c := commandInfo{name: fields[0].(string), flags: fields[2].(resp.Set)}
		c.keyed = fields[3].(int64) > 0 || len(fields[8].([]any)) > 0
		all[c.name] = c
		all.add(fields[9].([]any))
	}
}

// nameOf is the name in the command table of a command with its arguments.
func (all catalogue) nameOf(args []string) (string, error) {
	name := strings.ToLower(args[0])
	if len(args) > 1 {
		if sub := name + "|" + strings.ToLower(args[1]); all[sub].name != "" {
			return sub, nil
		}
	}
	if all[name].name == "" {
		return "", fmt.Errorf("%q is not in the command table", name)
	}
	return name, nil
}

// keysOf is how many keys the command table finds among a command's arguments.
func (b *bench) keysOf(db *redis.Database, args []string) int {
	b.t.Helper()
	reply, err := b.do(b.t.Context(), db, append([]string{"COMMAND", "GETKEYS"}, args...)...)
	if err != nil {
		return 0 // it takes none, or may take none
	}
	return len(reply.([]any))
}
