package differential

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/store/embedded"
)

// Flags of Redis that say when a server takes a command that loads its data, or follows another one. There is no such time here.
var serverStates = []string{"loading", "stale", "no_async_loading", "skip_monitor", "skip_slowlog"}

// tableDifferences are what COMMAND says otherwise than Redis 7.0, by command and field, and why.
var tableDifferences = map[string]string{
	"blmove flags": noscript, "wait flags": noscript, "blpop flags": noscript, "brpop flags": noscript, "brpoplpush flags": noscript, "bzpopmax flags": noscript, "bzpopmin flags": noscript,
	"command|getkeys arity": "commands of one word are refused by what they are", "command|getkeysandflags arity": "commands of one word are refused by what they are",
	"spublish first key": noCluster, "spublish last key": noCluster, "spublish step": noCluster, "spublish keys": noCluster,
	"ssubscribe first key": noCluster, "ssubscribe last key": noCluster, "ssubscribe step": noCluster, "ssubscribe keys": noCluster,
	"sunsubscribe first key": noCluster, "sunsubscribe last key": noCluster, "sunsubscribe step": noCluster, "sunsubscribe keys": noCluster,
	"unlink arity":    "the service takes no keys, too",
	"xautoclaim keys": tells, "xclaim keys": tells,
	"xreadgroup keys": "it changes the group, which takes a right to write", "zrank arity": "7.2 has WITHSCORE", "zrevrank arity": "7.2 has WITHSCORE",
}

const (
	noscript  = "7.2 allows them in scripts"
	noCluster = "in a cluster, their channels are where keys of these names are"
	tells     = "they return entries, which to be allowed takes a right to read"
)

// startBoth starts a redis-server and engines over an empty store in memory.
func startBoth(t *testing.T) (redis *realRedis, ours *engines) {
	t.Helper()
	s, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ours = newEngines(t, s)
	if err := ours.reset(); err != nil {
		t.Fatal(err)
	}
	return startRedis(t), ours
}

// TestCommandTable compares what COMMAND says of all commands that both have.
func TestCommandTable(t *testing.T) {
	redis, ours := startBoth(t)
	tables := [2]map[string]map[string]string{}
	for i, do := range []func(...string) (reply, error){redis.do, ours.do} {
		all, err := do("COMMAND")
		if err != nil {
			t.Fatal(err)
		}
		count, err := do("COMMAND", "COUNT")
		if err != nil || int(count.num()) != len(all.elems) {
			t.Errorf("COMMAND has %d commands, COMMAND COUNT is %v (%v)", len(all.elems), count, err)
		}
		list, err := do("COMMAND", "LIST")
		if err != nil {
			t.Fatal(err)
		}
		tables[i] = map[string]map[string]string{}
		addInfos(tables[i], all.elems)
		if len(list.elems) != len(tables[i]) {
			t.Errorf("COMMAND has %d commands with subcommands, COMMAND LIST %d", len(tables[i]), len(list.elems))
		}
		for _, name := range list.elems {
			if tables[i][name.text] == nil {
				t.Errorf("COMMAND LIST has %s, COMMAND has not", name)
			}
		}
	}
	both, used := 0, map[string]bool{}
	for name, want := range tables[0] {
		got := tables[1][name]
		if got == nil {
			continue
		}
		both++
		for field, w := range want {
			place := name + " " + field
			switch _, meant := tableDifferences[place]; {
			case got[field] == w:
			case meant:
				used[place] = true
			default:
				t.Errorf("%s: Redis has %s, ours is %s", place, w, got[field])
			}
		}
	}
	if both < 250 {
		t.Errorf("only %d commands are in both tables", both)
	}
	for place := range tableDifferences {
		if !used[place] {
			t.Errorf("%s is listed as a difference, and is none", place)
		}
	}
}

// addInfos adds commands and subcommands, each as its fields.
func addInfos(table map[string]map[string]string, infos []reply) {
	for _, info := range infos {
		f := info.elems
		table[f[0].text] = map[string]string{
			"arity": f[1].text, "flags": words(f[2]), "first key": f[3].text, "last key": f[4].text, "step": f[5].text,
			"categories": words(f[6]), "tips": words(f[7]), "keys": keySpecs(f[8].elems),
		}
		addInfos(table, f[9].elems)
	}
}

// words are the words of an array in order of the alphabet, but for those of a server's states.
func words(r reply) string {
	var all []string
	for _, e := range r.elems {
		if !slices.Contains(serverStates, e.text) {
			all = append(all, e.text)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// keySpecs are key specifications without their notes, which are prose.
func keySpecs(specs []reply) string {
	var out []string
	for _, spec := range specs {
		fields := spec.elems
		for i := 0; i < len(fields); i += 2 {
			if fields[i].text != "notes" {
				out = append(out, fmt.Sprint(fields[i], fields[i+1]))
			}
		}
	}
	return strings.Join(out, "; ")
}

// docsDifferences are what COMMAND DOCS says otherwise than Redis 7.0, by command and field, and why.
var docsDifferences = map[string]string{
	"cluster arguments": oneCommand, "debug arguments": oneCommand,
	"command|getkeys arguments": "Redis does not tell that there are any", "command|getkeysandflags arguments": "Redis does not tell that there are any",
	"debug doc_flags":   "it is refused here, also to those who develop Redis",
	"geohash arguments": "members are optional, as the arity says", "geopos arguments": "members are optional, as the arity says",
	"hscan arguments":   "7.4 has NOVALUES",
	"pfmerge arguments": "sources are optional, as the arity says",
	"scan arguments":    "8.0 has WITHTYPE",
	"set arguments":     "8.4 has IFEQ and its like",
	"unlink arguments":  "the service takes no keys, too",
	"xadd arguments":    references, "xtrim arguments": references,
	"zrank arguments": "7.2 has WITHSCORE", "zrevrank arguments": "7.2 has WITHSCORE",
	"zrank history": "that of 7.2", "zrevrank history": "that of 7.2", "xinfo|consumers history": "that of 7.2", "xinfo|stream history": "that of 7.2",
}

const (
	oneCommand = "it has no subcommands of its own here"
	references = "8.2 has KEEPREF and its like"
)

// complexityFormula finds the formulas in the words of a complexity.
var complexityFormula = regexp.MustCompile(`O\((?:[^()]|\([^()]*\))*\)`)

// TestCommandDocs compares what COMMAND DOCS says of all commands that both have, but for the texts: summaries, what
// has changed from version to version, and the words around a complexity's formulas.
func TestCommandDocs(t *testing.T) {
	redis, ours := startBoth(t)
	tables := [2]map[string]map[string]string{}
	for i, do := range []func(...string) (reply, error){redis.do, ours.do} {
		docs, err := do("COMMAND", "DOCS")
		if err != nil {
			t.Fatal(err)
		}
		count, err := do("COMMAND", "COUNT")
		if err != nil || 2*int(count.num()) != len(docs.elems) {
			t.Errorf("COMMAND DOCS has %d names and values, COMMAND COUNT is %v (%v)", len(docs.elems), count, err)
		}
		tables[i] = map[string]map[string]string{}
		addDocs(tables[i], docs.elems)
	}
	used := map[string]bool{}
	compared := 0
	for name, got := range tables[1] {
		for _, field := range []string{"summary", "since", "group"} {
			if got[field] == "" {
				t.Errorf("%s has no %s", name, field)
			}
		}
		want := tables[0][name]
		if want == nil {
			continue
		}
		compared++
		for _, field := range []string{"since", "group", "complexity", "doc_flags", "deprecated_since", "replaced_by", "history", "arguments"} {
			place := name + " " + field
			switch _, meant := docsDifferences[place]; {
			case got[field] == want[field]:
			case meant:
				used[place] = true
			default:
				t.Errorf("%s: Redis has %s, ours is %s", place, want[field], got[field])
			}
		}
	}
	if compared < 250 {
		t.Errorf("only %d commands are in both tables", compared)
	}
	for place := range docsDifferences {
		if !used[place] {
			t.Errorf("%s is listed as a difference, and is none", place)
		}
	}
}

// addDocs adds what is said of commands and subcommands, each as its fields.
func addDocs(table map[string]map[string]string, docs []reply) {
	for i := 0; i < len(docs); i += 2 {
		fields := map[string]string{}
		for f := docs[i+1].elems; len(f) > 0; f = f[2:] {
			switch name := f[0].text; name {
			case "subcommands":
				addDocs(table, f[1].elems)
			case "complexity":
				formulas := complexityFormula.FindAllString(f[1].text, -1)
				slices.Sort(formulas)
				fields[name] = strings.Join(slices.Compact(formulas), ", ")
			default:
				fields[name] = f[1].String()
			}
		}
		table[docs[i].text] = fields
	}
}

// TestKeysAndFlags compares COMMAND GETKEYS and GETKEYSANDFLAGS.
func TestKeysAndFlags(t *testing.T) {
	redis, ours := startBoth(t)
	for _, line := range []string{
		"set k v", "set k v get", "set k v nx GET ex 5", "get k", "mset a 1 b 2", "msetnx a 1", "del a b", "exists a", "getex k", "append k v", "copy a b", "rename a b", "lmove a b left right", "lmpop 2 a b left", "blpop a b 0",
		"zunionstore d 2 a b", "zunion 2 a b", "zrangestore d s 0 1", "sinterstore d a b", "bitop and d a b", "bitfield k get u8 1", "bitfield k get u8 1 set u8 1 1", "pfmerge a b c", "pfcount a b", "lcs a b",
		"eval x 2 a b", "eval x 0", "fcall f 1 a", "sort k", "sort k store d", "xread streams a b 0 0", "xadd s * f v", "xgroup create s g 0", "georadius k 1 1 1 m store d", "geosearchstore d s frommember m byradius 1 m",
		"object encoding k", "memory usage k", "expire k 1", "persist k", "spop k", "hset h f v", "hincrby h f 1", "zpopmin z", "ping", "get", "nosuch k", "config get x",
	} {
		for _, sub := range []string{"GETKEYS", "GETKEYSANDFLAGS"} {
			args := append([]string{"COMMAND", sub}, strings.Fields(line)...)
			want, err1 := redis.do(args...)
			got, err2 := ours.do(args...)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if want.String() != got.String() && len(args) > 3 { // of one word, see tableDifferences
				t.Errorf("%q: Redis has %v, ours is %v", args, want, got)
			}
		}
	}
}
