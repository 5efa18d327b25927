package attack

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// contents is all that the database holds, key by key.
func (a *target) contents() map[string]string {
	a.Helper()
	var keys []string
	if err := json.Unmarshal([]byte(a.must("KEYS", "*")), &keys); err != nil {
		a.Fatal(err)
	}
	var cmds [][]string
	for _, k := range keys {
		cmds = append(cmds, []string{"DUMP", k}, []string{"PTTL", k})
	}
	all := map[string]string{}
	if len(keys) == 0 {
		return all
	}
	var results []struct{ Result any }
	if err := json.Unmarshal([]byte(a.post(a.token(), "/pipeline", cmds).body), &results); err != nil {
		a.Fatal(err)
	}
	for i, k := range keys {
		all[k] = fmt.Sprint(results[2*i].Result, results[2*i+1].Result)
	}
	return all
}

// unchanged says that the database holds what it held before.
func (a *target) unchanged(before map[string]string) {
	a.Helper()
	now := a.contents()
	for k, v := range now {
		if before[k] != v {
			a.Errorf("key %s is %q, was %q", k, v, before[k])
		}
	}
	for k := range before {
		if now[k] == "" {
			a.Errorf("key %s is gone", k)
		}
	}
}

// commands are all commands, and what COMMAND says about their flags; "xinfo|stream" for subcommands.
func (a *target) commands() map[string][]string {
	a.Helper()
	var infos []any
	if err := json.Unmarshal([]byte(a.must("COMMAND", "INFO")), &infos); err != nil {
		a.Fatal(err)
	}
	all := map[string][]string{}
	var add func(infos []any)
	add = func(infos []any) {
		for _, info := range infos {
			fields := info.([]any)
			var flags []string
			for _, f := range fields[2].([]any) {
				flags = append(flags, f.(string))
			}
			if fields[3].(float64) > 0 || len(fields[8].([]any)) > 0 {
				flags = append(flags, "keys")
			}
			all[fields[0].(string)] = flags
			add(fields[9].([]any))
		}
	}
	add(infos)
	return all
}

// testForms checks that the forms are all commands that have keys.
func testForms(a *target) {
	known := map[string]bool{}
	for _, f := range slices.Concat(reading, writing) {
		known[f.name()] = true
		if len(f.args) > 1 {
			known[f.name()+"|"+strings.ToLower(f.args[1])] = true
		}
	}
	// These run scripts, which other tests are about, or do nothing here. WATCH needs a connection.
	for _, name := range []string{"eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro", "move", "watch"} {
		known[name] = true
	}
	without := map[string]bool{}
	for _, args := range keyless {
		without[strings.ToLower(args[0])] = true
		if len(args) > 1 {
			without[strings.ToLower(args[0]+"|"+args[1])] = true
		}
	}
	for name, flags := range a.commands() {
		if slices.Contains(flags, "keys") && !known[name] {
			a.Errorf("%s has keys, and no form", name)
		}
		if !slices.Contains(flags, "keys") && (slices.Contains(flags, "write") || slices.Contains(flags, "admin")) && !without[name] && !known[name] {
			a.Errorf("%s changes something without keys, and no read-only token tries it", name)
		}
	}
}

// quoted is a command as arguments of redis.call.
func quoted(args []string) string {
	var words []string
	for _, s := range args {
		words = append(words, "'"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s)+"'")
	}
	return strings.Join(words, ",")
}

// ways are all ways to send one command.
func ways(a *target, token string, args []string) map[string]answer {
	path := ""
	for _, s := range args {
		path += "/" + url.PathEscape(s)
	}
	lower := slices.Clone(args)
	lower[0] = strings.ToLower(args[0])
	mixed := slices.Clone(args)
	mixed[0] = strings.ToUpper(args[0][:1]) + strings.ToLower(args[0][1:])
	bearer := []string{"Authorization", "Bearer " + token}
	call := "return redis.call(" + quoted(args) + ")"
	return map[string]answer{
		"path":               a.send("GET", a.url()+path, nil, bearer...),
		"path, POST":         a.send("POST", a.url()+path, nil, bearer...),
		"path, PUT":          a.send("PUT", a.url()+path, nil, bearer...),
		"path, last as body": a.send("POST", a.url()+path[:strings.LastIndex(path, "/")], []byte(args[len(args)-1]), bearer...),
		"token in query":     a.send("GET", a.url()+path+"?_token="+url.QueryEscape(token), nil),
		"body":               a.do(token, args...),
		"lower case":         a.do(token, lower...),
		"mixed case":         a.do(token, mixed...),
		"pipeline":           a.post(token, "/pipeline", [][]string{{"PING"}, args}),
		"pipeline/":          a.post(token, "/pipeline/", [][]string{args}),
		"multi-exec":         a.post(token, "/multi-exec", [][]string{{"PING"}, args}),
		"EVAL":               a.do(token, "EVAL", call, "0"),
		"EVAL pcall":         a.do(token, "EVAL", "return redis.pcall("+quoted(args)+")", "0"),
		"EVAL with keys":     a.do(token, "EVAL", "return redis.call(unpack(ARGV))", "1", "app:string"),
		"EVAL_RO":            a.do(token, "EVAL_RO", call, "0"),
		"EVAL_RO pcall":      a.do(token, "EVAL_RO", "return redis.pcall("+quoted(args)+")", "0"),
		"EVAL no-writes":     a.do(token, "EVAL", "#!lua flags=no-writes\n"+call, "0"),
		"EVAL in multi":      a.post(token, "/multi-exec", [][]string{{"EVAL", call, "0"}}),
		"EVAL in pipeline":   a.post(token, "/pipeline", [][]string{{"EVAL_RO", call, "0"}}),
		"loadstring":         a.do(token, "EVAL_RO", "return loadstring(ARGV[1])()", "0", call),
	}
}

// keyless are commands that change something besides keys, or tell of what keys do not hold.
var keyless = [][]string{
	{"FLUSHDB"}, {"FLUSHALL"}, {"FLUSHDB", "ASYNC"}, {"SWAPDB", "0", "1"}, {"KEYS", "*"}, {"SCAN", "0"}, {"RANDOMKEY"}, {"DBSIZE"},
	{"SCRIPT", "FLUSH"}, {"SCRIPT", "LOAD", "return 1"}, {"FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() end)"},
	{"FUNCTION", "FLUSH"}, {"FUNCTION", "RESTORE", "x"}, {"FUNCTION", "DELETE", "l"}, {"PUBLISH", "c", "m"}, {"EVAL", "return redis.call('PUBLISH', 'c', 'm')", "0"},
	{"ACL", "SETUSER", "evil", "on", ">password-of-evil", "~*", "+@all"}, {"ACL", "RESTTOKEN", "default", "x"}, {"ACL", "LIST"}, {"ACL", "DELUSER", "x"}, {"ACL", "USERS"}, {"ACL", "GETUSER", "default"},
	{"ACL", "GENTOKEN"}, {"ACL", "LOAD"}, {"ACL", "SAVE"}, {"ACL", "LOG"}, {"ACL", "LOG", "RESET"}, {"ACL", "DRYRUN", "default", "GET", "app:string"},
	{"CONFIG", "GET", "*"}, {"CONFIG", "RESETSTAT"}, {"CLIENT", "NO-EVICT", "on"}, {"CLIENT", "LIST"},
	{"CONFIG", "SET", "notify-keyspace-events", "KEA"}, {"MONITOR"}, {"PSUBSCRIBE", "*"}, {"DEBUG", "SLEEP", "1"}, {"MOVE", "app:string", "1"},
	{"CLIENT", "KILL", "ID", "1"}, {"CLIENT", "KILL", "TYPE", "normal"}, {"CLIENT", "UNBLOCK", "1"}, {"CLIENT", "PAUSE", "1", "WRITE"}, {"CLIENT", "UNPAUSE"}, {"SLOWLOG", "GET"}, {"SLOWLOG", "LEN"}, {"SLOWLOG", "RESET"}, {"MODULE", "LIST"},
	{"LATENCY", "DOCTOR"}, {"LATENCY", "GRAPH", "command"}, {"LATENCY", "HISTOGRAM"}, {"LATENCY", "HISTORY", "command"}, {"LATENCY", "LATEST"}, {"LATENCY", "RESET"},
}

// testReadOnly sends everything that writes with the read-only token, in all ways there are. Nothing changes.
func testReadOnly(a *target) {
	before := a.contents()
	two, three := a.dial(a.readOnly(), 2), a.dial(a.readOnly(), 3)
	for _, f := range writing {
		args := f.on("app:", -1, "")
		all := ways(a, a.readOnly(), args)
		maps.Copy(all, nativeWays(two, three, args))
		for way, r := range all {
			if strings.Contains(r.body, "NOPERM") || strings.Contains(r.body, "not allowed from read-only") {
				continue
			}
			// Some ways make another command of it, which is refused for other reasons.
			if r.status == http.StatusOK && !strings.Contains(r.body, `"error"`) {
				a.Errorf("%q by %s is answered %s", args, way, r)
			}
		}
	}
	for _, args := range keyless {
		if r := a.do(a.readOnly(), args...); r.status == http.StatusOK {
			a.Errorf("%q is answered %s", args, r)
		}
		for way, r := range nativeWays(two, three, args) {
			if r.status == http.StatusOK {
				a.Errorf("%q by %s is answered %s", args, way, r)
			}
		}
	}
	for _, path := range []string{"/psubscribe/*", "/psubscribe/a*", "/subscribe/c", "/monitor"} {
		if r := a.send("GET", a.url()+path, nil, "Authorization", "Bearer "+a.readOnly()); r.status == http.StatusOK || !strings.Contains(r.body, "NOPERM") {
			a.Errorf("%s is answered %s", path, r)
		}
	}
	a.unchanged(before)
}

// testKeyPatterns tries every command of a credential for keys app:* on a key that is none, in each place
// where the command has a key.
func testKeyPatterns(a *target) {
	_, token := a.credential("+@all", "~app:*")
	before := a.contents()
	two, three := a.dial(token, 2), a.dial(token, 3)
	for _, f := range slices.Concat(reading, writing) {
		for _, place := range f.keys() {
			args := f.on("app:", place, "secret:")
			call := "return redis.call(" + quoted(args) + ")"
			all := map[string]answer{
				"body":            a.do(token, args...),
				"pipeline":        a.post(token, "/pipeline", [][]string{args}),
				"multi-exec":      a.post(token, "/multi-exec", [][]string{args}),
				"EVAL":            a.do(token, "EVAL", call, "0"),
				"EVAL, key given": a.do(token, "EVAL", call, "1", "app:string"),
			}
			maps.Copy(all, nativeWays(two, three, args))
			for way, r := range all {
				if !strings.Contains(r.body, "NOPERM") || strings.Contains(r.body, "hidden") {
					a.Errorf("%q by %s is answered %s", args, way, r)
				}
			}
		}
	}
	// Keys that stand in no place of the command's own.
	for _, args := range [][]string{
		{"SORT", "app:list", "BY", "nosuch", "GET", "secret:*"}, {"SORT_RO", "app:list", "BY", "nosuch", "GET", "secret:string*"},
		{"SORT", "app:list", "BY", "secret:*"}, {"SORT_RO", "app:list", "ALPHA", "GET", "secret:hash*->f"}, {"SORT", "app:list", "ALPHA", "STORE", "app:x", "STORE", "secret:x"},
		{"GEORADIUS", "app:geo", "15", "37", "1000", "km", "STORE", "app:x", "STORE", "secret:x"},
		{"EVAL", "return redis.call('GET', KEYS[1])", "1", "secret:string"}, {"EVAL", "return redis.call('GET', ARGV[1])", "0", "secret:string"},
		{"EVAL", "return redis.pcall('GET', 'secret:' .. 'string')", "0"}, {"MGET", "app:string", "secret:string"}, {"COPY", "secret:string", "app:stolen"},
		{"RENAME", "secret:string", "app:stolen"}, {"XREAD", "COUNT", "1", "STREAMS", "app:stream", "secret:stream", "0", "0"},
		{"MEMORY", "USAGE", "secret:string"}, {"OBJECT", "ENCODING", "secret:string"}, {"WATCH", "secret:string"}, {"WATCH", "app:string", "secret:string"},
	} {
		all := nativeWays(two, three, args)
		all["body"] = a.do(token, args...)
		for way, r := range all {
			if strings.Contains(r.body, "hidden") || strings.Contains(r.body, "secret:") && r.status == http.StatusOK || args[0] == "WATCH" && r.status == http.StatusOK {
				a.Errorf("%q by %s is answered %s", args, way, r)
			}
		}
	}
	for k := range a.contents() {
		if !strings.HasPrefix(k, "app:") && before[k] == "" {
			a.Errorf("there is a key %s", k)
		}
	}
	now := a.contents()
	for k, v := range before {
		if strings.HasPrefix(k, "secret:") && now[k] != v {
			a.Errorf("%s is %q, was %q", k, now[k], v)
		}
	}
}

var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

// sealed is a dump with the checksum that belongs to its bytes, which Redis's crc64 does not complement.
func sealed(dump []byte) []byte {
	body := dump[:len(dump)-8]
	return binary.LittleEndian.AppendUint64(slices.Clone(body), ^crc64.Update(^uint64(0), jones, body))
}

// testRestore gives RESTORE every dump with each of its bytes changed in turn, as bytes, with the old checksum and
// with the right one, and cut off everywhere. It answers and goes on, and whatever it has made can be read.
func testRestore(a *target) {
	bearer := []string{"Authorization", "Bearer " + a.token()}
	fine := func(what string, r answer) {
		if r.status != http.StatusOK && r.status != http.StatusBadRequest || strings.Contains(r.body, "internal") {
			a.Errorf("%s is answered %s", what, r)
		}
	}
	read := [][]string{
		{"TYPE", "app:restored"}, {"DUMP", "app:restored"}, {"GET", "app:restored"}, {"LRANGE", "app:restored", "0", "-1"}, {"HGETALL", "app:restored"}, {"SMEMBERS", "app:restored"},
		{"ZRANGE", "app:restored", "0", "-1", "WITHSCORES"}, {"XRANGE", "app:restored", "-", "+"}, {"XINFO", "STREAM", "app:restored", "FULL"}, {"JSON.GET", "app:restored"}, {"PFCOUNT", "app:restored"},
		{"DEL", "app:restored"},
	}
	for _, kind := range []string{"string", "list", "hash", "set", "zset", "stream", "json", "hll"} {
		r := a.send("GET", a.url()+"/dump/app:"+kind, nil, append([]string{"Upstash-Encoding", "base64"}, bearer...)...)
		dump, err := base64.StdEncoding.DecodeString(r.field(a.T, "result"))
		if err != nil || len(dump) < 10 {
			a.Fatalf("the dump of %s: %s, %v", kind, r, err)
		}
		restore := func(how string, dump []byte) (restored bool) {
			r := a.send("POST", a.url()+"/restore/app:restored/0", dump, bearer...)
			fine(kind+", "+how, r)
			if r.status != http.StatusOK {
				return false
			}
			fine("reading "+kind+", "+how, a.post(a.token(), "/pipeline", read))
			return true
		}
		if !restore("as it is", dump) || !restore("sealed anew", sealed(dump)) {
			a.Errorf("%s cannot be restored", kind)
		}
		for i := range min(len(dump), 128) {
			for _, mask := range []byte{0x01, 0x5a, 0x80, 0xff} {
				mutated := slices.Clone(dump)
				mutated[i] ^= mask
				if mask == 0x5a && restore(fmt.Sprintf("byte %d", i), mutated) {
					a.Errorf("%s is restored with byte %d changed", kind, i)
				}
				if i < len(dump)-8 {
					restore(fmt.Sprintf("byte %d, sealed", i), sealed(mutated))
				}
			}
			if i >= 8 {
				restore(fmt.Sprintf("%d bytes", i), dump[:i])
				restore(fmt.Sprintf("%d bytes, sealed", i), sealed(dump[:i]))
			}
		}
	}
}

func sweeps(t *testing.T, binary string) {
	a := newTarget(t, binary)
	for _, prefix := range []string{"app:", "secret:"} {
		for _, cmd := range seed(prefix) {
			a.must(cmd...)
		}
	}
	for name, sweep := range map[string]func(*target){
		"every command has a form":                     testForms,
		"a read-only token changes nothing":            testReadOnly,
		"a credential for some keys reaches no others": testKeyPatterns,
		"RESTORE refuses what is damaged":              testRestore,
	} {
		t.Run(name, func(t *testing.T) { sweep(a.with(t)) })
	}
}
