package command

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// XADD, XLEN, XRANGE, XREVRANGE, XREAD, XSETID; cmd_stream_trim.go has what removes entries,
// cmd_stream_group.go and cmd_stream_pending.go the consumer groups, cmd_stream_info.go XINFO.

// afterStreams says that the first half of what follows the word STREAMS are keys. from is where the word may be, use is what is
// done to the keys.
func afterStreams(from int, use string) []KeySearch {
	return []KeySearch{{Keyword: "STREAMS", From: from, Last: -1, Step: 1, Limit: 2, Use: use}}
}

func streamCommands() []*Command {
	last2 := KeySpec{First: 2, Last: 2, Step: 1}
	return []*Command{
		{Name: "xadd", Arity: -5, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW update", Tips: "nondeterministic_output", Group: "stream", Since: "5.0.0", Summary: "Appends an entry to a stream.", Run: xadd},
		{Name: "xlen", Arity: 2, Flags: ReadOnly | Fast, Keys: OneKey, Use: "RO", Group: "stream", Since: "5.0.0", Summary: "Returns the number of entries.", Run: xlen},
		{Name: "xrange", Arity: -4, Flags: ReadOnly, Keys: OneKey, Group: "stream", Since: "5.0.0", Summary: "Returns the entries in a range of ids.", Run: xrange},
		{Name: "xrevrange", Arity: -4, Flags: ReadOnly, Keys: OneKey, Group: "stream", Since: "5.0.0", Summary: "Returns the entries in a range of ids in reverse order.", Run: xrevrange},
		{Name: "xread", Arity: -4, Flags: ReadOnly | Blocking | Movable, Getkeys: xreadKeys, Further: afterStreams(1, "RO access"), Group: "stream", Since: "5.0.0", Summary: "Returns the entries behind given ones of several streams, and may wait for some.", Run: xread},
		{Name: "xsetid", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW update", Event: "xsetid", Group: "stream", Since: "5.0.0", Summary: "Sets the last id of a stream.", Run: xsetid},
		{Name: "xdel", Arity: -3, Flags: Write | Fast, Keys: OneKey, Use: "RW delete", Event: "xdel", Group: "stream", Since: "5.0.0", Summary: "Removes entries.", Run: xdel},
		{Name: "xdelex", Arity: -5, Flags: Write | Fast, Keys: OneKey, Use: "RW delete", Event: "xdel", Group: "stream", Since: "8.2.0", Summary: "Removes entries, and says what becomes of references to them.", Run: xdelex},
		{Name: "xtrim", Arity: -4, Flags: Write, Keys: OneKey, Use: "RW delete", Tips: "nondeterministic_output", Event: "xtrim", Group: "stream", Since: "5.0.0", Summary: "Removes entries from the start of a stream.", Run: xtrim},
		{Name: "xack", Arity: -4, Flags: Write | Fast, Keys: OneKey, Use: "RW update", Group: "stream", Since: "5.0.0", Summary: "Acknowledges entries that were delivered to a group.", Run: xack},
		{Name: "xackdel", Arity: -6, Flags: Write | Fast, Keys: OneKey, Use: "RW delete", Event: "xdel", Group: "stream", Since: "8.2.0", Summary: "Acknowledges entries and removes them.", Run: xackdel},
		{Name: "xreadgroup", Arity: -7, Flags: Write | Blocking | Movable, Getkeys: xreadKeys, Further: afterStreams(4, "RW access update"), Group: "stream", Since: "5.0.0", Summary: "Delivers entries to a consumer of a group, and may wait for some.", Run: xreadgroup},
		{Name: "xpending", Arity: -3, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output", Group: "stream", Since: "5.0.0", Summary: "Returns what is pending in a group.", Run: xpending},
		{Name: "xclaim", Arity: -6, Flags: Write | Fast, Keys: OneKey, Tips: "nondeterministic_output", Group: "stream", Since: "5.0.0", Summary: "Makes pending entries those of another consumer.", Run: xclaim},
		{Name: "xautoclaim", Arity: -6, Flags: Write | Fast, Keys: OneKey, Tips: "nondeterministic_output", Group: "stream", Since: "6.2.0", Summary: "Makes entries that have been pending long those of another consumer.", Run: xautoclaim},
		{Name: "xgroup", Arity: -2, Group: "stream", Since: "5.0.0", Summary: "Changes consumer groups.", Subcommands: Subcommands(
			&Command{Name: "create", Arity: -5, Flags: Write | DenyOOM, Keys: last2, Use: "RW insert", Group: "stream", Since: "5.0.0", Summary: "Creates a group.", Run: xgroupCreate},
			&Command{Name: "createconsumer", Arity: 5, Flags: Write | DenyOOM, Keys: last2, Use: "RW insert", Group: "stream", Since: "6.2.0", Summary: "Creates a consumer.", Run: xgroupCreateConsumer},
			&Command{Name: "delconsumer", Arity: 5, Flags: Write, Keys: last2, Use: "RW delete", Group: "stream", Since: "5.0.0", Summary: "Deletes a consumer.", Run: xgroupDelConsumer},
			&Command{Name: "destroy", Arity: 4, Flags: Write, Keys: last2, Use: "RW delete", Group: "stream", Since: "5.0.0", Summary: "Deletes a group.", Run: xgroupDestroy},
			&Command{Name: "setid", Arity: -5, Flags: Write, Keys: last2, Use: "RW update", Group: "stream", Since: "5.0.0", Summary: "Sets the last id delivered to a group.", Run: xgroupSetID},
			Help("stream", "5.0.0",
				"CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]", "    Create a group that will be delivered the entries behind an id.",
				"CREATECONSUMER <key> <group> <consumer>", "    Create a consumer in a group.",
				"DELCONSUMER <key> <group> <consumer>", "    Delete a consumer with what is pending to it, and tell how much that was.",
				"DESTROY <key> <group>", "    Delete a group.",
				"SETID <key> <group> <id|$> [ENTRIESREAD <n>]", "    Set the last id that was delivered to a group."),
		)},
		{Name: "xinfo", Arity: -2, Group: "stream", Since: "5.0.0", Summary: "Looks into streams.", Subcommands: Subcommands(
			&Command{Name: "consumers", Arity: 4, Flags: ReadOnly, Keys: last2, Tips: "nondeterministic_output", Group: "stream", Since: "5.0.0", Summary: "Lists the consumers of a group.", Run: xinfoConsumers},
			&Command{Name: "groups", Arity: 3, Flags: ReadOnly, Keys: last2, Group: "stream", Since: "5.0.0", Summary: "Lists the groups of a stream.", Run: xinfoGroups},
			&Command{Name: "stream", Arity: -3, Flags: ReadOnly, Keys: last2, Group: "stream", Since: "5.0.0", Summary: "Describes a stream.", Run: xinfoStream},
			Help("stream", "5.0.0",
				"CONSUMERS <key> <group>", "    List the consumers of a group.",
				"GROUPS <key>", "    List the groups of a stream.",
				"STREAM <key> [FULL [COUNT <count>]]", "    Describe a stream; in full, with entries, groups and what is pending."),
		)},
	}
}

// Replies.

// full reports whether the reply begun at a mark is larger than allowed, so that it is of no
// use to read on.
func (c *Call) full(mark int) bool { return c.W.Len()-mark > c.Host.MaxReply }

func (c *Call) entry(e keyspace.StreamEntry) {
	c.W.Array(2)
	c.W.Bulk(e.ID.String())
	c.W.Strings(e.Pairs())
}

// count parses COUNT's value, argument i: 0 for negative ones.
func (c *Call) streamCount(i int) (int64, error) {
	n, err := c.Int(i)
	return max(n, 0), err
}

// XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [MAXLEN | MINID [= | ~] threshold [LIMIT count]]
// * | id field value [field value ...]
func xadd(c *Call) error {
	o, err := parseTrim(c, true)
	if err != nil {
		return err
	}
	pairs := c.Args[min(o.next+1, len(c.Args)):]
	if len(pairs) == 0 || len(pairs)%2 != 0 {
		return errArity(c.Args[0])
	}
	if o.id.IsZero() && !o.auto && !o.autoSeq {
		return Error("ERR The ID specified in XADD must be greater than 0-0")
	}
	s, err := c.Txn.Stream(c.Args[1])
	if err != nil {
		return err
	}
	if s == nil && o.noMake {
		c.W.Null()
		return nil
	}
	var last keyspace.StreamID
	if s != nil {
		last = s.LastID()
	}
	if last == keyspace.MaxStreamID {
		return Error("ERR The stream has exhausted the last possible ID, unable to add more items")
	}
	id, ok := o.id, true
	switch {
	case o.auto && s == nil:
		id = keyspace.StreamID{Ms: uint64(c.Txn.Now())}
	case o.auto:
		id, _ = s.NextID()
	case o.autoSeq && id.Ms == last.Ms:
		id.Seq = last.Seq + 1
		ok = last.Seq != math.MaxUint64
	}
	if !ok || !last.Less(id) {
		return Error("ERR The ID specified in XADD is equal or smaller than the target stream top item")
	}
	if s == nil {
		s = c.Txn.NewStream(c.Args[1])
	}
	s.Add(id, pairs)
	c.event("xadd", c.Args[1])
	if s.Trim(o.trim) > 0 {
		c.event("xtrim", c.Args[1])
	}
	c.W.Bulk(id.String())
	return nil
}

// XLEN key
func xlen(c *Call) error {
	s, err := c.Txn.Stream(c.Args[1])
	if err != nil {
		return err
	}
	c.W.Int(s.Len())
	return nil
}

// XRANGE key start end [COUNT count]
func xrange(c *Call) error { return c.streamRange(c.Args[2], c.Args[3], false) }

// XREVRANGE key end start [COUNT count]
func xrevrange(c *Call) error { return c.streamRange(c.Args[3], c.Args[2], true) }

func (c *Call) streamRange(start, end string, reverse bool) error {
	from, err := keyspace.ParseStreamBound(start, false)
	if err != nil {
		return err
	}
	to, err := keyspace.ParseStreamBound(end, true)
	if err != nil {
		return err
	}
	count := int64(-1)
	for i := 4; i < len(c.Args); i += 2 {
		if !c.Is(i, "count") || i+1 == len(c.Args) {
			return ErrSyntax
		}
		if count, err = c.streamCount(i + 1); err != nil {
			return err
		}
	}
	s, err := c.Txn.Stream(c.Args[1])
	switch {
	case err != nil:
		return err
	case s == nil:
		c.W.Array(0)
		return nil
	case count == 0:
		c.W.NullArray()
		return nil
	}
	entries := s.Range(from, to, keyspace.ReadaheadOf(max(count, 0)))
	if reverse {
		entries = s.ReverseRange(to, from, keyspace.ReadaheadOf(max(count, 0)))
	}
	mark, n := c.W.Mark(), 0
	for e := range entries {
		c.entry(e)
		if n++; int64(n) == count || c.full(mark) {
			break
		}
	}
	c.W.ArrayAt(mark, n)
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

func parseXread(c *Call) (xreadArgs, error) {
	a := xreadArgs{block: -1}
	ofGroup, grouped := c.Command.Name == "xreadgroup", false
	only := func(option string) Error {
		return Error("ERR The " + option + " option is only supported by XREADGROUP. You called XREAD instead.")
	}
	for i := 1; i < len(c.Args); i++ {
		more := len(c.Args) - 1 - i
		switch {
		case c.Is(i, "block") && more > 0:
			i++
			if err := c.milliTimeout(i); err != nil {
				return a, err
			}
			a.block, _ = num.ParseInt(c.Args[i])
		case c.Is(i, "count") && more > 0:
			i++
			var err error
			if a.count, err = c.streamCount(i); err != nil {
				return a, err
			}
		case c.Is(i, "group") && more >= 2:
			if !ofGroup {
				return a, only("GROUP")
			}
			a.group, a.consumer, grouped = c.Args[i+1], c.Args[i+2], true
			i += 2
		case c.Is(i, "noack"):
			if !ofGroup {
				return a, only("NOACK")
			}
			a.noAck = true
		case c.Is(i, "streams") && more > 0:
			rest := c.Args[i+1:]
			if len(rest)%2 != 0 {
				last := "$"
				if ofGroup {
					last = ">"
				}
				return a, Error("ERR Unbalanced '" + c.Command.Name + "' list of streams: for each stream key an ID or '" + last + "' must be specified.")
			}
			if ofGroup && !grouped {
				return a, Error("ERR Missing GROUP option for XREADGROUP")
			}
			if a.block >= 0 && c.Scripted && c.Native() {
				return a, Error("ERR " + c.Command.Name + " command is not allowed with BLOCK option from scripts")
			}
			a.keys, a.ids = rest[:len(rest)/2], rest[len(rest)/2:]
			return a, nil
		default:
			return a, ErrSyntax
		}
	}
	return a, ErrSyntax
}

// XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]
func xread(c *Call) error {
	a, err := parseXread(c)
	if err != nil {
		return err
	}
	streams, after := make([]*keyspace.Stream, len(a.keys)), make([]keyspace.StreamID, len(a.keys))
	for i, key := range a.keys {
		s, err := c.Txn.Stream(key)
		if err != nil && !c.passesOver(err) {
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
			after[i], _ = s.LastID().Prev()
		default:
			if after[i], err = keyspace.ParseStreamID(id, 0); err != nil {
				return err
			}
		}
	}
	mark, served := c.W.Mark(), 0
	for i, s := range streams {
		first, ok := after[i].Next()
		if s.Len() == 0 || !ok || s.LastID().Less(first) {
			continue
		}
		here := c.W.Mark()
		c.W.Array(2)
		c.W.Bulk(a.keys[i])
		entries, n := c.W.Mark(), 0
		for e := range s.Range(first, keyspace.MaxStreamID, keyspace.ReadaheadOf(a.count)) {
			c.entry(e)
			if n++; int64(n) == a.count || c.full(mark) {
				break
			}
		}
		if n == 0 {
			c.W.Truncate(here)
			continue
		}
		c.W.ArrayAt(entries, n)
		served++
	}
	return c.served(a, mark, served, after)
}

// served ends the reply of XREAD or XREADGROUP, begun at a mark. If there was nothing to read, they
// wait or reply with null. after are the ids that XREAD was to read from: "$" stays the one it was at first.
func (c *Call) served(a xreadArgs, mark, streams int, after []keyspace.StreamID) error {
	switch {
	case streams > 0:
		c.W.RowsAt(mark, streams)
		return nil
	case a.block < 0:
		c.W.NullArray()
		return nil
	}
	err := c.block(float64(a.block)/1000, c.W.NullArray)
	var blocked *WouldBlock
	if errors.As(err, &blocked) && slices.Contains(a.ids, "$") {
		blocked.Args = slices.Clone(c.Args)
		for i, id := range after {
			if at := len(c.Args) - len(after) + i; c.Args[at] == "$" {
				blocked.Args[at] = id.String()
			}
		}
	}
	return err
}

// XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]
func xsetid(c *Call) error {
	id, err := keyspace.ParseStreamID(c.Args[2], 0)
	if err != nil {
		return err
	}
	added, removed := int64(-1), keyspace.StreamID{}
	for i := 3; i < len(c.Args); i += 2 {
		switch {
		case i+1 == len(c.Args):
			return ErrSyntax
		case c.Is(i, "entriesadded"):
			if added, err = c.Int(i + 1); err != nil {
				return err
			}
			if added < 0 {
				return Error("ERR entries_added must be positive")
			}
		case c.Is(i, "maxdeletedid"):
			if removed, err = keyspace.ParseStreamID(c.Args[i+1], 0); err != nil {
				return err
			}
			if id.Less(removed) {
				return Error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
			}
		default:
			return ErrSyntax
		}
	}
	s, err := c.Txn.Stream(c.Args[1])
	switch {
	case err != nil:
		return err
	case s == nil:
		return errNoKey
	case id.Less(s.MaxDeletedID()):
		return Error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
	}
	if top, ok := s.Last(); ok {
		if id.Less(top) {
			return Error("ERR The ID specified in XSETID is smaller than the target stream top item")
		}
		if added >= 0 && added < s.Len() {
			return Error("ERR The entries_added specified in XSETID is smaller than the target stream length")
		}
	}
	s.SetID(id, added, removed)
	c.W.OK()
	return nil
}

// streamIDs parses the arguments from one on.
func streamIDs(args []string) ([]keyspace.StreamID, error) {
	ids := make([]keyspace.StreamID, len(args))
	for i, arg := range args {
		var err error
		if ids[i], err = keyspace.ParseStreamID(arg, 0); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// parseXaddID reads the id of an entry to be added: "*", "ms-*", or a whole one.
func parseXaddID(s string) (id keyspace.StreamID, auto, autoSeq bool, err error) {
	if s == "*" {
		return id, true, false, nil
	}
	if ms, ok := strings.CutSuffix(s, "-*"); ok {
		id, err = keyspace.ParseStreamID(ms, 0)
		if strings.Contains(ms, "-") {
			err = keyspace.ErrStreamID
		}
		return id, false, true, err
	}
	id, err = keyspace.ParseStreamID(s, 0)
	return id, false, false, err
}

// positive parses a number of ids.
func positive(s string) (int, bool) {
	n, ok := num.ParseInt(s)
	return int(n), ok && n > 0 && n <= math.MaxInt32 && strconv.Itoa(int(n)) == s
}
