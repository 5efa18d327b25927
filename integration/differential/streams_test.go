package differential

import (
	"slices"
	"strings"
)

// streamFamily are the commands of streams. Ids are given, for those that a server makes up
// are made of its clock.
var streamFamily = family{"stream", []row{
	{template: "XADD {k} {newid} ({f} {v})+", weight: 20},
	{template: "XADD {k} [NOMKSTREAM|nomkstream] [MAXLEN {cnt}|MAXLEN = {cnt}|MINID {sid}|MINID = {sid}|maxlen {cnt}] {newid} ({f} {v})+", weight: 8},
	{template: "XADD {k} (MAXLEN {cnt}|MINID {sid}|LIMIT {cnt}|NOMKSTREAM|=)+ {newid} {f} {v}", weight: 1},
	{template: "XLEN {k}"},
	{template: "XRANGE {k} {sfrom} {sto} [COUNT {cnt}|count {cnt}]", weight: 6},
	{template: "XREVRANGE {k} {sto} {sfrom} [COUNT {cnt}|count {cnt}]", weight: 6},
	{template: "XREAD [COUNT {cnt}] STREAMS {k} {sid}", weight: 4},
	{template: "XREAD [COUNT {cnt}] [BLOCK 1] STREAMS {k} {k} {sid} {sid}", weight: 2},
	{template: "XREAD [COUNT {cnt}] STREAMS {k} ($|>)", weight: 1},
	{template: "XDEL {k} {sid}+", weight: 6},
	{template: "XTRIM {k} (MAXLEN {cnt}|MAXLEN = {cnt}|MINID {sid}|MINID = {sid})", weight: 2},
	{template: "XTRIM {k} (MAXLEN {cnt}|MINID {sid}|LIMIT {cnt}|=)+", weight: 1},
	{template: "XSETID {k} (1000|2000-1|3000) [ENTRIESADDED {cnt}|MAXDELETEDID {sid}|ENTRIESADDED {cnt} MAXDELETEDID {sid}]", weight: 1, compare: xsetid},
	{template: "XGROUP CREATE {k} {g} ({sid}|$|0|0) [MKSTREAM] [ENTRIESREAD {cnt}]", weight: 6},
	{template: "XGROUP SETID {k} {g} ({sid}|$|0) [ENTRIESREAD {cnt}]", weight: 2},
	{template: "XGROUP DESTROY {k} {g}", weight: 1},
	{template: "XGROUP CREATECONSUMER {k} {g} {consumer}", weight: 2, compare: untold},
	{template: "XGROUP DELCONSUMER {k} {g} {consumer}", weight: 1},
	{template: "XREADGROUP GROUP {g} {consumer} [COUNT {cnt}] STREAMS {k} >", weight: 14},
	{template: "XREADGROUP GROUP {g} {consumer} [COUNT {cnt}] [BLOCK 1] STREAMS {k} {k} > (>|{sid})", weight: 2},
	{template: "XREADGROUP GROUP {g} {consumer} [COUNT {cnt}] STREAMS {k} {sid}", weight: 4},
	{template: "XACK {k} {g} {sid}+", weight: 6},
	{template: "XPENDING {k} {g}", weight: 4},
	{template: "XPENDING {k} {g} [IDLE (0|1000000)] {sfrom} {sto} {cnt} [{consumer}]", weight: 5, compare: idling},
	{template: "XCLAIM {k} {g} {consumer} (0|0|0|1000000) {sid}+ [IDLE 1000|TIME 1000] [RETRYCOUNT {cnt}] [FORCE] [JUSTID] [LASTID {sid}]", weight: 6},
	{template: "XAUTOCLAIM {k} {g} {consumer} (0|0|0|1000000) {sfrom} [COUNT {cnt}] [JUSTID]", weight: 5},
	{template: "XINFO STREAM {k}", weight: 4, compare: untimed},
	{template: "XINFO STREAM {k} FULL [COUNT {cnt}]", weight: 4, compare: untimed},
	{template: "XINFO GROUPS {k}", weight: 4, compare: untimed},
	{template: "XINFO CONSUMERS {k} {g}", weight: 3, compare: untimed},
	{template: "COPY {k} {k} [REPLACE]", weight: 1},
	{template: "RENAME {k} {k}", weight: 1},
	{template: "TYPE {k}", weight: 1},
	{template: "DUMP {k}", weight: 4, compare: dumpRestore},
	{template: "DEL {k}", weight: 1},
}}

// streamHoles are the kinds of values of streamFamily.
func streamHoles(mostly func(common, rare []string) hole) map[string]hole {
	ws := strings.Fields
	badIDs := ws("abc - + (1-1 1-abc 1-1-1 18446744073709551615-18446744073709551615 18446744073709551616 -1 1- -")
	var ids, news, bounds []string
	for ms := range 12 {
		for seq := range 3 {
			id := string("0123456789ab"[ms]) + "-" + string('0'+rune(seq))
			if ms < 10 {
				ids, bounds = append(ids, id), append(bounds, id, id, "("+id)
			}
		}
	}
	for _, ms := range ws("0 1 2 3 5 8 9 10 11 12 20 50 100 1000") {
		ids, bounds = append(ids, ms), append(bounds, ms)
		news = append(news, ms+"-*", ms+"-*", ms+"-1", ms+"-5", ms)
	}
	return map[string]hole{
		"sid":      mostly(ids, badIDs),
		"newid":    mostly(news, append(badIDs, "0-0", "0", "1-*-1", "**")),
		"sfrom":    mostly(append(bounds, slices.Repeat([]string{"-"}, 20)...), append(badIDs, "(18446744073709551615-18446744073709551615", "(", "((1", "(-")),
		"sto":      mostly(append(bounds, slices.Repeat([]string{"+"}, 20)...), append(badIDs, "(0-0", "(+", "(")),
		"g":        mostly(ws("g h"), []string{"", "no such", binary, big[:700]}),
		"consumer": mostly(ws("alice bob carol"), []string{"", binary, big[:900]}),
	}
}

// xsetid lets ids below the highest deleted one be refused, as since Redis 7.2, and then does
// without the key.
var xsetid = comparer{run: func(p pair, args []string) (string, error) {
	want, got, err := p.both(args...)
	if err != nil || got.text != "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id" {
		return comparer{}.judge(args, want, got), err
	}
	_, _, err = p.both("DEL", args[1])
	return "", err
}}

// untold compares what is left when Redis 7.0 creates consumers later than Redis 7.2 does.
var untold = comparer{same: func(want, got reply) bool { return want.kind == got.kind && (want.kind == ':' || equal(want, got)) }}

// idling leaves out how long ago pending entries were delivered, the third of four parts.
var idling = comparer{same: func(want, got reply) bool { return equal(withoutIdle(want), withoutIdle(got)) }}

func withoutIdle(r reply) reply {
	r.elems = slices.Clone(r.elems)
	for i, e := range r.elems {
		if len(e.elems) == 4 && e.elems[2].kind == ':' {
			e.elems = slices.Delete(slices.Clone(e.elems), 2, 3)
			r.elems[i] = e
		}
	}
	return r
}

// untimed leaves out what depends on the clock or on how the server stores a stream, what Redis
// 7.0 does not tell, and consumers to which nothing is pending, which it creates later than Redis 7.2.
var untimed = comparer{same: func(want, got reply) bool { return equal(withoutTimes(want), withoutTimes(got)) }}

func withoutTimes(r reply) reply {
	if r.kind == ':' && r.num() > 100 {
		r.text = "some time"
	}
	elems := r.elems
	r.elems = nil
	for i := 0; i < len(elems); i++ {
		switch elems[i].text {
		case "idle", "inactive", "seen-time", "active-time", "radix-tree-keys", "radix-tree-nodes", "lag", "entries-read":
			i++
		case "consumers":
			if i++; i < len(elems) && elems[i].kind == '*' {
				r.elems = append(r.elems, withoutTimes(elems[i]))
			}
		default:
			if !idleConsumer(elems[i]) {
				r.elems = append(r.elems, withoutTimes(elems[i]))
			}
		}
	}
	return r
}

// idleConsumer reports whether a part of XINFO's reply is a consumer to which nothing is pending.
func idleConsumer(r reply) bool {
	texts := make([]string, len(r.elems))
	for i, e := range r.elems {
		texts[i] = e.text
	}
	if len(texts) < 4 || texts[0] != "name" || texts[2] != "pending" && texts[2] != "seen-time" {
		return false
	}
	i := slices.Index(texts, "pel-count")
	if i < 0 {
		i = 2
	}
	return texts[i+1] == "0"
}

// streamDifferences are those that are meant.
var streamDifferences = []difference{
	{"XINFO CONSUMERS of a group that is not there is empty", func(args []string, want, got reply) bool {
		return strings.EqualFold(args[0], "XINFO") && len(args) > 1 && strings.EqualFold(args[1], "CONSUMERS") && strings.HasPrefix(want.text, "NOGROUP No such consumer group") && got.kind == '*'
	}},
	{"an unbalanced list of streams is told by the command's name and its own id, as since Redis 7.2", func(_ []string, want, got reply) bool {
		return strings.HasPrefix(want.text, "ERR Unbalanced XREAD list of streams") && strings.HasPrefix(got.text, "ERR Unbalanced 'xread")
	}},
	{"XREAD takes + for the last entry, as since Redis 7.4, and XREADGROUP knows what it means", func(args []string, want, _ reply) bool {
		return strings.HasPrefix(strings.ToUpper(args[0]), "XREAD") && slices.Contains(args, "+") && strings.HasPrefix(want.text, "ERR Invalid stream ID")
	}},
	{"Redis ends a name that it quotes in an error at its first NUL", func(args []string, want, got reply) bool {
		for _, start := range []string{"NOGROUP No such ", "ERR Unrecognized XCLAIM option ", "ERR unknown subcommand "} {
			if strings.HasPrefix(want.text, start) && strings.HasPrefix(got.text, start) && strings.Contains(strings.Join(args, "")+got.text, "\x00") {
				return true
			}
		}
		return false
	}},
}

// isLaterStream reports whether Redis 7.0 refuses a payload that only 7.2 can read: a stream with
// consumers that were active at another time than they were seen.
func isLaterStream(reply, payload reply) bool {
	const streamListpacks3 = 21
	return reply.isError() && payload.text[0] == streamListpacks3
}
