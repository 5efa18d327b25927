package redis

import "strings"

// XTRIM, XDEL, XDELEX, XACKDEL, and the options that XADD shares with XTRIM.

// trimArgs are the options in front of XADD's id, or those of XTRIM.
type trimArgs struct {
	trim    streamTrim
	noMake  bool // NOMKSTREAM
	next    int  // the index of XADD's id
	id      streamID
	auto    bool // the id is "*"
	autoSeq bool // the id is "ms-*"
}

// defaultTrimLimit is how many entries an approximate trim removes at most, as in Redis.
const defaultTrimLimit = 10000

func parseTrim(c *call, add bool) (trimArgs, error) {
	a := trimArgs{next: len(c.args)}
	limited, refs := false, false
options:
	for i := 2; i < len(c.args); i++ {
		more := len(c.args) - 1 - i
		policy, isPolicy := parseRefs(c.args[i])
		switch {
		case add && c.args[i] == "*":
			a.next, a.auto = i, true
			break options
		case (c.is(i, "maxlen") || c.is(i, "minid")) && more > 0:
			if a.trim.by != trimNot {
				return a, Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
			}
			a.trim.by = trimMaxLen
			if c.is(i, "minid") {
				a.trim.by = trimMinID
			}
			if sign := c.args[i+1]; more > 1 && (sign == "~" || sign == "=") {
				a.trim.approx = sign == "~"
				i++
			}
			i++
			if err := a.threshold(c, i); err != nil {
				return a, err
			}
		case c.is(i, "limit") && more > 0:
			i++
			var err error
			if a.trim.limit, err = c.int(i); err != nil {
				return a, err
			}
			if a.trim.limit < 0 {
				return a, Error("ERR The LIMIT argument must be >= 0.")
			}
			limited = true
		case add && c.is(i, "nomkstream"):
			a.noMake = true
		case isPolicy && !refs:
			a.trim.refs, refs = policy, true
		case add:
			var err error
			if a.id, a.auto, a.autoSeq, err = parseXaddID(c.args[i]); err != nil {
				return a, err
			}
			a.next = i
			break options
		default:
			return a, errSyntax
		}
	}
	switch {
	case a.trim.limit > 0 && a.trim.by == trimNot:
		return a, Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
	case !add && a.trim.by == trimNot:
		return a, Error("ERR syntax error, XTRIM must be called with a trimming strategy")
	case limited && !a.trim.approx:
		return a, Error("ERR syntax error, LIMIT cannot be used without the special ~ option")
	case !limited && a.trim.approx:
		a.trim.limit = defaultTrimLimit
	}
	return a, nil
}

// threshold parses that of MAXLEN or MINID, argument i.
func (a *trimArgs) threshold(c *call, i int) (err error) {
	if a.trim.by == trimMinID {
		a.trim.minID, err = parseStreamID(c.args[i], 0)
		return err
	}
	if a.trim.maxLen, err = c.int(i); err == nil && a.trim.maxLen < 0 {
		err = Error("ERR The MAXLEN argument must be >= 0.")
	}
	return err
}

func parseRefs(word string) (refPolicy, bool) {
	switch {
	case strings.EqualFold(word, "keepref"):
		return keepRefs, true
	case strings.EqualFold(word, "delref"):
		return deleteRefs, true
	case strings.EqualFold(word, "acked"):
		return ackedOnly, true
	}
	return keepRefs, false
}

// XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]
func xtrim(c *call) error {
	o, err := parseTrim(c, false)
	if err != nil {
		return err
	}
	s, err := c.tx.Stream(c.args[1])
	if err != nil {
		return err
	}
	var n int64
	if s != nil {
		n = s.Trim(o.trim)
	}
	c.w.Int(n)
	return nil
}

// XDEL key id [id ...]
func xdel(c *call) error {
	s, err := c.tx.Stream(c.args[1])
	if err != nil {
		return err
	}
	if s == nil {
		c.w.Int(0)
		return nil
	}
	ids, err := streamIDs(c.args[2:])
	if err != nil {
		return err
	}
	n := int64(0)
	for _, id := range ids {
		if s.Delete(id, len(ids)) {
			n++
		}
	}
	if n > 0 {
		s.findFirst()
	}
	c.w.Int(n)
	return nil
}

// parseDelete reads [KEEPREF | DELREF | ACKED] IDS number id [id ...], from argument i on.
func parseDelete(c *call, i int) (refs refPolicy, ids []streamID, err error) {
	policed := false
	for ; i < len(c.args); i++ {
		policy, isPolicy := parseRefs(c.args[i])
		switch {
		case isPolicy && !policed:
			refs, policed = policy, true
		case c.is(i, "ids") && i+1 < len(c.args) && ids == nil:
			n, ok := positive(c.args[i+1])
			rest := c.args[i+2:]
			switch {
			case !ok:
				return refs, nil, Error("ERR Number of IDs must be a positive integer")
			case n > len(rest):
				return refs, nil, Error("ERR The `numids` parameter must match the number of arguments")
			}
			if ids, err = streamIDs(rest[:n]); err != nil {
				return refs, nil, err
			}
			i += 1 + n
		default:
			return refs, nil, errSyntax
		}
	}
	if ids == nil {
		return refs, nil, errSyntax
	}
	return refs, ids, nil
}

// XDELEX key [KEEPREF | DELREF | ACKED] IDS number id [id ...]
func xdelex(c *call) error {
	refs, ids, err := parseDelete(c, 2)
	if err != nil {
		return err
	}
	s, err := c.tx.Stream(c.args[1])
	if err != nil {
		return err
	}
	c.w.Array(len(ids))
	deleted := false
	for _, id := range ids {
		result := int64(idNotFound)
		if s != nil {
			if _, ok := s.Get(id, len(ids)); ok {
				result = s.deleteAs(id, refs, len(ids))
			}
		}
		deleted = deleted || result == idDeleted
		c.w.Int(result)
	}
	if deleted {
		s.findFirst()
	}
	return nil
}

// XACKDEL key group [KEEPREF | DELREF | ACKED] IDS number id [id ...]
func xackdel(c *call) error {
	refs, ids, err := parseDelete(c, 3)
	if err != nil {
		return err
	}
	s, err := c.tx.Stream(c.args[1])
	if err != nil {
		return err
	}
	g := s.Group(c.args[2])
	c.w.Array(len(ids))
	acked := false
	for _, id := range ids {
		result := int64(idNotFound)
		if g != nil && (g.Acknowledge(id, len(ids)) || s.acknowledged(g, id, len(ids))) {
			acked = true
			result = s.deleteAs(id, refs, len(ids))
		}
		c.w.Int(result)
	}
	if acked {
		s.findFirst()
	}
	return nil
}
