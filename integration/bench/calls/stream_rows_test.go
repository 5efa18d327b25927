package calls

// streamRows are those of streams. Ids are given, so that they are the same in every run.
func streamRows() group {
	entries := block{before: "3 entries", prepare: []string{"XADD k 1-1 a 1", "XADD k 2-1 a 2", "XADD k 3-1 a 3"}}
	created := block{before: "3 entries, a group", prepare: append(entries.prepare[:3:3], "XGROUP CREATE k g 0")}
	pending := block{before: "3 entries, pending to a consumer", prepare: append(created.prepare[:4:4], "XREADGROUP GROUP g c STREAMS k >")}
	return group{"Streams", []block{
		noKey.with("XADD k * a 1", "XADD k NOMKSTREAM * a 1", "XREAD STREAMS k 0", "XGROUP CREATE k g $ MKSTREAM"),
		entries.with(
			"XADD k * a 4", "XADD k MAXLEN 3 * a 4", "XADD k MAXLEN ~ 3 * a 4", "XLEN k", "XRANGE k - +", "XREVRANGE k + - COUNT 1", "XREAD STREAMS k 1", "XREAD BLOCK 100 STREAMS k $", "XDEL k 2-1",
			"XDELEX k IDS 1 2-1", "XTRIM k MAXLEN 1", "XSETID k 9-9", "XGROUP CREATE k g 0", "XINFO STREAM k", "TYPE k", "DEL k"),
		created.with("XREADGROUP GROUP g c STREAMS k >", "XGROUP CREATECONSUMER k g c", "XGROUP SETID k g $", "XGROUP DESTROY k g", "XINFO GROUPS k"),
		pending.with(
			"XADD k * a 4", "XREADGROUP GROUP g c STREAMS k 0", "XREADGROUP GROUP g c STREAMS k >", "XACK k g 1-1", "XACKDEL k g IDS 1 1-1", "XPENDING k g", "XPENDING k g - + 10", "XCLAIM k g other 0 1-1",
			"XAUTOCLAIM k g other 0 0", "XINFO CONSUMERS k g", "XINFO STREAM k FULL", "XGROUP DELCONSUMER k g c"),
	}}
}
