package redis

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// XADD, XLEN, XRANGE, XREVRANGE, XREAD, XSETID; cmd_stream_trim.go has what removes entries,
// cmd_stream_group.go and cmd_stream_pending.go the consumer groups, cmd_stream_info.go XINFO.

// afterStreams says that the first half of what follows the word STREAMS are keys. from is where the word may be, use is what is
// done to the keys.
func afterStreams(from int, use string) []keySearch {
	return []keySearch{{keyword: "STREAMS", from: from, last: -1, step: 1, limit: 2, use: use}}
}

func streamCommands() []*command {
	last2 := keySpec{first: 2, last: 2, step: 1}
	return []*command{
		{name: "xadd", arity: -5, flags: write | denyoom | fast, keys: oneKey, use: "RW update", tips: "nondeterministic_output", group: "stream", since: "5.0.0", summary: "Appends an entry to a stream.", run: xadd},
		{name: "xlen", arity: 2, flags: readonly | fast, keys: oneKey, use: "RO", group: "stream", since: "5.0.0", summary: "Returns the number of entries.", run: xlen},
		{name: "xrange", arity: -4, flags: readonly, keys: oneKey, group: "stream", since: "5.0.0", summary: "Returns the entries in a range of ids.", run: xrange},
		{name: "xrevrange", arity: -4, flags: readonly, keys: oneKey, group: "stream", since: "5.0.0", summary: "Returns the entries in a range of ids in reverse order.", run: xrevrange},
		{name: "xread", arity: -4, flags: readonly | blocking | movable, getkeys: xreadKeys, further: afterStreams(1, "RO access"), group: "stream", since: "5.0.0", summary: "Returns the entries behind given ones of several streams, and may wait for some.", run: xread},
		{name: "xsetid", arity: -3, flags: write | denyoom | fast, keys: oneKey, use: "RW update", group: "stream", since: "5.0.0", summary: "Sets the last id of a stream.", run: xsetid},
		{name: "xdel", arity: -3, flags: write | fast, keys: oneKey, use: "RW delete", group: "stream", since: "5.0.0", summary: "Removes entries.", run: xdel},
		{name: "xdelex", arity: -5, flags: write | fast, keys: oneKey, use: "RW delete", group: "stream", since: "8.2.0", summary: "Removes entries, and says what becomes of references to them.", run: xdelex},
		{name: "xtrim", arity: -4, flags: write, keys: oneKey, use: "RW delete", tips: "nondeterministic_output", group: "stream", since: "5.0.0", summary: "Removes entries from the start of a stream.", run: xtrim},
		{name: "xack", arity: -4, flags: write | fast, keys: oneKey, use: "RW update", group: "stream", since: "5.0.0", summary: "Acknowledges entries that were delivered to a group.", run: xack},
		{name: "xackdel", arity: -6, flags: write | fast, keys: oneKey, use: "RW delete", group: "stream", since: "8.2.0", summary: "Acknowledges entries and removes them.", run: xackdel},
		{name: "xreadgroup", arity: -7, flags: write | blocking | movable, getkeys: xreadKeys, further: afterStreams(4, "RW access update"), group: "stream", since: "5.0.0", summary: "Delivers entries to a consumer of a group, and may wait for some.", run: xreadgroup},
		{name: "xpending", arity: -3, flags: readonly, keys: oneKey, tips: "nondeterministic_output", group: "stream", since: "5.0.0", summary: "Returns what is pending in a group.", run: xpending},
		{name: "xclaim", arity: -6, flags: write | fast, keys: oneKey, tips: "nondeterministic_output", group: "stream", since: "5.0.0", summary: "Makes pending entries those of another consumer.", run: xclaim},
		{name: "xautoclaim", arity: -6, flags: write | fast, keys: oneKey, tips: "nondeterministic_output", group: "stream", since: "6.2.0", summary: "Makes entries that have been pending long those of another consumer.", run: xautoclaim},
		{name: "xgroup", arity: -2, group: "stream", since: "5.0.0", summary: "Changes consumer groups.", subs: subcommands(
			&command{name: "create", arity: -5, flags: write | denyoom, keys: last2, use: "RW insert", group: "stream", since: "5.0.0", summary: "Creates a group.", run: xgroupCreate},
			&command{name: "createconsumer", arity: 5, flags: write | denyoom, keys: last2, use: "RW insert", group: "stream", since: "6.2.0", summary: "Creates a consumer.", run: xgroupCreateConsumer},
			&command{name: "delconsumer", arity: 5, flags: write, keys: last2, use: "RW delete", group: "stream", since: "5.0.0", summary: "Deletes a consumer.", run: xgroupDelConsumer},
			&command{name: "destroy", arity: 4, flags: write, keys: last2, use: "RW delete", group: "stream", since: "5.0.0", summary: "Deletes a group.", run: xgroupDestroy},
			&command{name: "setid", arity: -5, flags: write, keys: last2, use: "RW update", group: "stream", since: "5.0.0", summary: "Sets the last id delivered to a group.", run: xgroupSetID},
			helpCommand("stream", "5.0.0",
				"CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]", "    Create a group that will be delivered the entries behind an id.",
				"CREATECONSUMER <key> <group> <consumer>", "    Create a consumer in a group.",
				"DELCONSUMER <key> <group> <consumer>", "    Delete a consumer with what is pending to it, and tell how much that was.",
				"DESTROY <key> <group>", "    Delete a group.",
				"SETID <key> <group> <id|$> [ENTRIESREAD <n>]", "    Set the last id that was delivered to a group."),
		)},
		{name: "xinfo", arity: -2, group: "stream", since: "5.0.0", summary: "Looks into streams.", subs: subcommands(
			&command{name: "consumers", arity: 4, flags: readonly, keys: last2, tips: "nondeterministic_output", group: "stream", since: "5.0.0", summary: "Lists the consumers of a group.", run: xinfoConsumers},
			&command{name: "groups", arity: 3, flags: readonly, keys: last2, group: "stream", since: "5.0.0", summary: "Lists the groups of a stream.", run: xinfoGroups},
			&command{name: "stream", arity: -3, flags: readonly, keys: last2, group: "stream", since: "5.0.0", summary: "Describes a stream.", run: xinfoStream},
			helpCommand("stream", "5.0.0",
				"CONSUMERS <key> <group>", "    List the consumers of a group.",
				"GROUPS <key>", "    List the groups of a stream.",
				"STREAM <key> [FULL [COUNT <count>]]", "    Describe a stream; in full, with entries, groups and what is pending."),
		)},
	}
}

// Replies.

// full reports whether the reply begun at a mark is larger than allowed, so that it is of no
// use to read on.
func (c *call) full(mark int) bool { return c.w.Len()-mark > c.host.maxReply }

func (c *call) entry(e streamEntry) {
	c.w.Array(2)
	c.w.Bulk(e.id.String())
	c.w.Strings(e.pairs())
}

// count parses COUNT's value, argument i: 0 for negative ones.
func (c *call) streamCount(i int) (int64, error) {
	n, err := c.int(i)
	return max(n, 0), err
}

// XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [MAXLEN | MINID [= | ~] threshold [LIMIT count]]
// * | id field value [field value ...]
func xadd(c *call) error {
	o, err := parseTrim(c, true)
	if err != nil {
		return err
	}
	pairs := c.args[min(o.next+1, len(c.args)):]
	if len(pairs) == 0 || len(pairs)%2 != 0 {
		return errArity(c.args[0])
	}
	if o.id.isZero() && !o.auto && !o.autoSeq {
		return Error("ERR The ID specified in XADD must be greater than 0-0")
	}
	s, err := c.tx.Stream(c.args[1])
	if err != nil {
		return err
	}
	if s == nil && o.noMake {
		c.w.Null()
		return nil
	}
	var last streamID
	if s != nil {
		last = s.LastID()
	}
	if last == maxStreamID {
		return Error("ERR The stream has exhausted the last possible ID, unable to add more items")
	}
	id, ok := o.id, true
	switch {
	case o.auto && s == nil:
		id = streamID{ms: uint64(c.tx.Now())}
	case o.auto:
		id, _ = s.NextID()
	case o.autoSeq && id.ms == last.ms:
		id.seq = last.seq + 1
		ok = last.seq != math.MaxUint64
	}
	if !ok || !last.less(id) {
		return Error("ERR The ID specified in XADD is equal or smaller than the target stream top item")
	}
	if s == nil {
		s = c.tx.NewStream(c.args[1])
	}
	s.Add(id, pairs)
	s.Trim(o.trim)
	c.w.Bulk(id.String())
	return nil
}

// XLEN key
func xlen(c *call) error {
	s, err := c.tx.Stream(c.args[1])
	if err != nil {
		return err
	}
	c.w.Int(s.Len())
	return nil
}

// XRANGE key start end [COUNT count]
func xrange(c *call) error { return c.streamRange(c.args[2], c.args[3], false) }

// XREVRANGE key end start [COUNT count]
func xrevrange(c *call) error { return c.streamRange(c.args[3], c.args[2], true) }

func (c *call) streamRange(start, end string, reverse bool) error {
	from, err := parseStreamBound(start, false)
	if err != nil {
		return err
	}
	to, err := parseStreamBound(end, true)
	if err != nil {
		return err
	}
	count := int64(-1)
	for i := 4; i < len(c.args); i += 2 {
		if !c.is(i, "count") || i+1 == len(c.args) {
			return errSyntax
		}
		if count, err = c.streamCount(i + 1); err != nil {
			return err
		}
	}
	s, err := c.tx.Stream(c.args[1])
	switch {
	case err != nil:
		return err
	case s == nil:
		c.w.Array(0)
		return nil
	case count == 0:
		c.w.NullArray()
		return nil
	}
	entries := s.Range(from, to, readaheadOf(max(count, 0)))
	if reverse {
		entries = s.ReverseRange(to, from, readaheadOf(max(count, 0)))
	}
	mark, n := c.w.Mark(), 0
	for e := range entries {
		c.entry(e)
		if n++; int64(n) == count || c.full(mark) {
			break
		}
	}
	c.w.ArrayAt(mark, n)
	return nil
}

// xreadArgs are the arguments of XREAD and XREADGROUP.
type xreadArgs struct {
	count           int64 // 0: all
	block           int64 // milliseconds to wait if there is nothing, 0: without a limit; -1: not at all
	noAck           bool
	group, consumer string
	keys, ids       []string
}

// xreadKeys are the first half of what follows STREAMS.
func xreadKeys(args []string) []string {
	for i := 1; i < len(args); i++ {
		switch strings.ToLower(args[i]) {
		case "block", "count":
			i++
		case "group":
			i += 2
		case "noack":
		case "streams":
			rest := args[i+1:]
			return slices.Clip(rest[:len(rest)/2])
		default:
			return nil
		}
	}
	return nil
}

func parseXread(c *call) (xreadArgs, error) {
	a := xreadArgs{block: -1}
	ofGroup, grouped := c.cmd.name == "xreadgroup", false
	only := func(option string) Error {
		return Error("ERR The " + option + " option is only supported by XREADGROUP. You called XREAD instead.")
	}
	for i := 1; i < len(c.args); i++ {
		more := len(c.args) - 1 - i
		switch {
		case c.is(i, "block") && more > 0:
			i++
			if err := c.milliTimeout(i); err != nil {
				return a, err
			}
			a.block, _ = num.ParseInt(c.args[i])
		case c.is(i, "count") && more > 0:
			i++
			var err error
			if a.count, err = c.streamCount(i); err != nil {
				return a, err
			}
		case c.is(i, "group") && more >= 2:
			if !ofGroup {
				return a, only("GROUP")
			}
			a.group, a.consumer, grouped = c.args[i+1], c.args[i+2], true
			i += 2
		case c.is(i, "noack"):
			if !ofGroup {
				return a, only("NOACK")
			}
			a.noAck = true
		case c.is(i, "streams") && more > 0:
			rest := c.args[i+1:]
			if len(rest)%2 != 0 {
				return a, Error("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.")
			}
			if ofGroup && !grouped {
				return a, Error("ERR Missing GROUP option for XREADGROUP")
			}
			a.keys, a.ids = rest[:len(rest)/2], rest[len(rest)/2:]
			return a, nil
		default:
			return a, errSyntax
		}
	}
	return a, errSyntax
}

// XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]
func xread(c *call) error {
	a, err := parseXread(c)
	if err != nil {
		return err
	}
	streams, after := make([]*Stream, len(a.keys)), make([]streamID, len(a.keys))
	for i, key := range a.keys {
		s, err := c.tx.Stream(key)
		if err != nil {
			return err
		}
		streams[i] = s
		switch id := a.ids[i]; {
		case id == ">":
			return Error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
		case (id == "$" || id == "+") && s == nil:
		case id == "$":
			after[i] = s.LastID()
		case id == "+":
			after[i], _ = s.LastID().prev()
		default:
			if after[i], err = parseStreamID(id, 0); err != nil {
				return err
			}
		}
	}
	mark, served := c.w.Mark(), 0
	for i, s := range streams {
		first, ok := after[i].next()
		if s.Len() == 0 || !ok || s.LastID().less(first) {
			continue
		}
		here := c.w.Mark()
		c.w.Array(2)
		c.w.Bulk(a.keys[i])
		entries, n := c.w.Mark(), 0
		for e := range s.Range(first, maxStreamID, readaheadOf(a.count)) {
			c.entry(e)
			if n++; int64(n) == a.count || c.full(mark) {
				break
			}
		}
		if n == 0 {
			c.w.Truncate(here)
			continue
		}
		c.w.ArrayAt(entries, n)
		served++
	}
	return c.served(a, mark, served, after)
}

// served ends the reply of XREAD or XREADGROUP, begun at a mark. If there was nothing to read, they
// wait or reply with null. after are the ids that XREAD was to read from: "$" stays the one it was at first.
func (c *call) served(a xreadArgs, mark, streams int, after []streamID) error {
	switch {
	case streams > 0:
		c.w.RowsAt(mark, streams)
		return nil
	case a.block < 0:
		c.w.NullArray()
		return nil
	}
	err := c.block(float64(a.block)/1000, c.w.NullArray)
	var blocked *wouldBlock
	if errors.As(err, &blocked) && slices.Contains(a.ids, "$") {
		blocked.args = slices.Clone(c.args)
		for i, id := range after {
			if at := len(c.args) - len(after) + i; c.args[at] == "$" {
				blocked.args[at] = id.String()
			}
		}
	}
	return err
}

// XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]
func xsetid(c *call) error {
	id, err := parseStreamID(c.args[2], 0)
	if err != nil {
		return err
	}
	added, removed := int64(-1), streamID{}
	for i := 3; i < len(c.args); i += 2 {
		switch {
		case i+1 == len(c.args):
			return errSyntax
		case c.is(i, "entriesadded"):
			if added, err = c.int(i + 1); err != nil {
				return err
			}
			if added < 0 {
				return Error("ERR entries_added must be positive")
			}
		case c.is(i, "maxdeletedid"):
			if removed, err = parseStreamID(c.args[i+1], 0); err != nil {
				return err
			}
			if id.less(removed) {
				return Error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
			}
		default:
			return errSyntax
		}
	}
	s, err := c.tx.Stream(c.args[1])
	switch {
	case err != nil:
		return err
	case s == nil:
		return errNoKey
	case id.less(s.MaxDeletedID()):
		return Error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
	}
	if top, ok := s.Last(); ok {
		if id.less(top) {
			return Error("ERR The ID specified in XSETID is smaller than the target stream top item")
		}
		if added >= 0 && added < s.Len() {
			return Error("ERR The entries_added specified in XSETID is smaller than the target stream length")
		}
	}
	s.SetID(id, added, removed)
	c.w.OK()
	return nil
}

// streamIDs parses the arguments from one on.
func streamIDs(args []string) ([]streamID, error) {
	ids := make([]streamID, len(args))
	for i, arg := range args {
		var err error
		if ids[i], err = parseStreamID(arg, 0); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// parseXaddID reads the id of an entry to be added: "*", "ms-*", or a whole one.
func parseXaddID(s string) (id streamID, auto, autoSeq bool, err error) {
	if s == "*" {
		return id, true, false, nil
	}
	if ms, ok := strings.CutSuffix(s, "-*"); ok {
		id, err = parseStreamID(ms, 0)
		if strings.Contains(ms, "-") {
			err = errStreamID
		}
		return id, false, true, err
	}
	id, err = parseStreamID(s, 0)
	return id, false, false, err
}

// positive parses a number of ids.
func positive(s string) (int, bool) {
	n, ok := num.ParseInt(s)
	return int(n), ok && n > 0 && n <= math.MaxInt32 && strconv.Itoa(int(n)) == s
}
