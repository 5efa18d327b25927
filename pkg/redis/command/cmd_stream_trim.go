package command

import (
	"strings"

	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// XTRIM, XDEL, XDELEX, XACKDEL, and the options that XADD shares with XTRIM.

// trimArgs are the options in front of XADD's id, or those of XTRIM.
type trimArgs struct {
	trim    keyspace.StreamTrim
	noMake  bool // NOMKSTREAM
	next    int  // the index of XADD's id
	id      keyspace.StreamID
	auto    bool // the id is "*"
	autoSeq bool // the id is "ms-*"
}

// defaultTrimLimit is how many entries an approximate trim removes at most, as in Redis.
const defaultTrimLimit = 10000

func parseTrim(c *Call, add bool) (trimArgs, error) {
	a := trimArgs{next: len(c.Args)}
	limited, refs := false, false
options:
	for i := 2; i < len(c.Args); i++ {
		more := len(c.Args) - 1 - i
		policy, isPolicy := parseRefs(c.Args[i])
		switch {
		case add && c.Args[i] == "*":
			a.next, a.auto = i, true
			break options
		case (c.Is(i, "maxlen") || c.Is(i, "minid")) && more > 0:
			if a.trim.By != keyspace.TrimNot {
				return a, Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
			}
			a.trim.By = keyspace.TrimMaxLen
			if c.Is(i, "minid") {
				a.trim.By = keyspace.TrimMinID
			}
			if sign := c.Args[i+1]; more > 1 && (sign == "~" || sign == "=") {
				a.trim.Approx = sign == "~"
				i++
			}
			i++
			if err := a.threshold(c, i); err != nil {
				return a, err
			}
		case c.Is(i, "limit") && more > 0:
			i++
			var err error
			if a.trim.Limit, err = c.Int(i); err != nil {
				return a, err
			}
			if a.trim.Limit < 0 {
				return a, Error("ERR The LIMIT argument must be >= 0.")
			}
			limited = true
		case add && c.Is(i, "nomkstream"):
			a.noMake = true
		case isPolicy && !refs:
			a.trim.Refs, refs = policy, true
		case add:
			var err error
			if a.id, a.auto, a.autoSeq, err = parseXaddID(c.Args[i]); err != nil {
				return a, err
			}
			a.next = i
			break options
		default:
			return a, ErrSyntax
		}
	}
	switch {
	case a.trim.Limit > 0 && a.trim.By == keyspace.TrimNot:
		return a, Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
	case !add && a.trim.By == keyspace.TrimNot:
		return a, Error("ERR syntax error, XTRIM must be called with a trimming strategy")
	case limited && !a.trim.Approx:
		return a, Error("ERR syntax error, LIMIT cannot be used without the special ~ option")
	case !limited && a.trim.Approx:
		a.trim.Limit = defaultTrimLimit
	}
	return a, nil
}

// threshold parses that of MAXLEN or MINID, argument i.
func (a *trimArgs) threshold(c *Call, i int) (err error) {
	if a.trim.By == keyspace.TrimMinID {
		a.trim.MinID, err = keyspace.ParseStreamID(c.Args[i], 0)
		return err
	}
	if a.trim.MaxLen, err = c.Int(i); err == nil && a.trim.MaxLen < 0 {
		err = Error("ERR The MAXLEN argument must be >= 0.")
	}
	return err
}

func parseRefs(word string) (keyspace.RefPolicy, bool) {
	switch {
	case strings.EqualFold(word, "keepref"):
		return keyspace.KeepRefs, true
	case strings.EqualFold(word, "delref"):
		return keyspace.DeleteRefs, true
	case strings.EqualFold(word, "acked"):
		return keyspace.AckedOnly, true
	}
	return keyspace.KeepRefs, false
}

// XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]
func xtrim(c *Call) error {
	o, err := parseTrim(c, false)
	if err != nil {
		return err
	}
	s, err := c.Txn.Stream(c.Args[1])
	if err != nil {
		return err
	}
	var n int64
	if s != nil {
		n = s.Trim(o.trim)
	}
	c.W.Int(n)
	return nil
}

// XDEL key id [id ...]
func xdel(c *Call) error {
	s, err := c.Txn.Stream(c.Args[1])
	if err != nil {
		return err
	}
	if s == nil {
		c.W.Int(0)
		return nil
	}
	ids, err := streamIDs(c.Args[2:])
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
		s.FindFirst()
	}
	c.W.Int(n)
	return nil
}

// parseDelete reads [KEEPREF | DELREF | ACKED] IDS number id [id ...], from argument i on.
func parseDelete(c *Call, i int) (refs keyspace.RefPolicy, ids []keyspace.StreamID, err error) {
	policed := false
	for ; i < len(c.Args); i++ {
		policy, isPolicy := parseRefs(c.Args[i])
		switch {
		case isPolicy && !policed:
			refs, policed = policy, true
		case c.Is(i, "ids") && i+1 < len(c.Args) && ids == nil:
			n, ok := positive(c.Args[i+1])
			rest := c.Args[i+2:]
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
			return refs, nil, ErrSyntax
		}
	}
	if ids == nil {
		return refs, nil, ErrSyntax
	}
	return refs, ids, nil
}

// XDELEX key [KEEPREF | DELREF | ACKED] IDS number id [id ...]
func xdelex(c *Call) error {
	refs, ids, err := parseDelete(c, 2)
	if err != nil {
		return err
	}
	s, err := c.Txn.Stream(c.Args[1])
	if err != nil {
		return err
	}
	c.W.Array(len(ids))
	deleted := false
	for _, id := range ids {
		result := int64(keyspace.IDNotFound)
		if s != nil {
			if _, ok := s.Get(id, len(ids)); ok {
				result = s.DeleteAs(id, refs, len(ids))
			}
		}
		deleted = deleted || result == keyspace.IDDeleted
		c.W.Int(result)
	}
	if deleted {
		s.FindFirst()
	}
	return nil
}

// XACKDEL key group [KEEPREF | DELREF | ACKED] IDS number id [id ...]
func xackdel(c *Call) error {
	refs, ids, err := parseDelete(c, 3)
	if err != nil {
		return err
	}
	s, err := c.Txn.Stream(c.Args[1])
	if err != nil {
		return err
	}
	g := s.Group(c.Args[2])
	c.W.Array(len(ids))
	acked := false
	for _, id := range ids {
		result := int64(keyspace.IDNotFound)
		if g != nil && (g.Acknowledge(id, len(ids)) || s.Acknowledged(g, id, len(ids))) {
			acked = true
			result = s.DeleteAs(id, refs, len(ids))
		}
		c.W.Int(result)
	}
	if acked {
		s.FindFirst()
	}
	return nil
}
