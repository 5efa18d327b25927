package command

import (
	"slices"
	"strconv"
	"strings"
)

// The parameters of CONFIG SET that a server of connections accepts.

// layout are the parameters by which Redis chooses how it keeps values in memory and what it does in the background, with
// Redis's defaults. Nothing here depends on them. So CONFIG SET accepts what Redis would accept, without effect, and CONFIG
// GET goes on showing the default. Each number is followed by the name that the parameter had before Redis 7, if it had one.
var layout = [][3]string{
	{"active-expire-effort", "1"},
	{"activedefrag", "no"},
	{"activerehashing", "yes"},
	{"aof-use-rdb-preamble", "yes"},
	{"auto-aof-rewrite-percentage", "100"},
	{"hash-max-listpack-entries", "128", "hash-max-ziplist-entries"},
	{"hash-max-listpack-value", "64", "hash-max-ziplist-value"},
	{"hll-sparse-max-bytes", "3000"},
	{"hz", "10"},
	{"lazyfree-lazy-eviction", "no"},
	{"lazyfree-lazy-expire", "no"},
	{"lazyfree-lazy-server-del", "no"},
	{"lazyfree-lazy-user-del", "no"},
	{"lazyfree-lazy-user-flush", "no"},
	{"list-compress-depth", "0"},
	{"list-max-listpack-size", "-2", "list-max-ziplist-size"},
	{"rdb-key-save-delay", "0"},
	{"rdbcompression", "yes"},
	{"set-max-intset-entries", "512"},
	{"set-max-listpack-entries", "128"},
	{"set-max-listpack-value", "64"},
	{"stream-node-max-bytes", "4096"},
	{"stream-node-max-entries", "100"},
	{"zset-max-listpack-entries", "128", "zset-max-ziplist-entries"},
	{"zset-max-listpack-value", "64", "zset-max-ziplist-value"},
}

// layoutParameters are all names of layout, with the values that CONFIG GET shows.
func layoutParameters() [][2]string {
	var list [][2]string
	for _, p := range layout {
		list = append(list, [2]string{p[0], p[1]})
		if p[2] != "" {
			list = append(list, [2]string{p[2], p[1]})
		}
	}
	return list
}

// setFixed says why a parameter of a server of connections cannot be set to a value; nil: it has that value, or
// the value does not matter.
func setFixed(server *ServerInfo, name, value string) error {
	name = strings.ToLower(name)
	named := func(p [2]string) bool { return p[0] == name }
	list := layoutParameters()
	if i := slices.IndexFunc(list, named); i >= 0 && server != nil {
		if _, err := strconv.ParseInt(list[i][1], 10, 64); err != nil {
			if !strings.EqualFold(value, "yes") && !strings.EqualFold(value, "no") {
				return errConfig(name, "argument must be 'yes' or 'no'")
			}
		} else if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return errConfig(name, "argument couldn't be parsed into an integer")
		}
		return nil
	}
	list = parametersFor(server)
	switch i := slices.IndexFunc(list, named); {
	case i < 0:
		return Error("ERR Unknown option or number of arguments for CONFIG SET - '" + name + "'")
	case list[i][1] != value:
		return errConfig(name, "can't set immutable config")
	}
	return nil
}
