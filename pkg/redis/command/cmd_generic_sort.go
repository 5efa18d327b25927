package command

import (
	"cmp"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// SORT, SORT_RO.

func sortCommands() []*Command {
	return []*Command{
		{Name: "sort", Arity: -2, Flags: Write | DenyOOM | Movable, Keys: OneKey, Getkeys: sortKeys, Further: []KeySearch{sortPatterns, {Use: "OW update"}}, Use: "RO access", UseThen: "OW update", Group: "generic", Since: "1.0.0", Summary: "Sorts a list, set or sorted set, and may store the result.", Run: sortCommand},
		{Name: "sort_ro", Arity: -2, Flags: ReadOnly | Movable, Keys: OneKey, Further: []KeySearch{sortPatterns}, Group: "generic", Since: "7.0.0", Summary: "Sorts a list, set or sorted set.", Run: sortCommand},
	}
}

// sortKeys lists the keys that SORT names outright: the source and, of several
// STORE options, the last. Those that patterns lead to depend on the data.
func sortKeys(args []string) []string {
	keys := []string{args[1]}
	for i := 2; i < len(args); i++ {
		switch strings.ToLower(args[i]) {
		case "limit":
			i += 2
		case "by", "get":
			i++
		case "store":
			if i++; i < len(args) {
				keys = append(keys[:1], args[i])
			}
		}
	}
	return keys
}

// sorting is what SORT was asked for.
type sorting struct {
	by, store       string
	byGiven, stored bool
	unsorted        bool // BY something constant
	get             []sortPattern
	start, count    int64
	desc, alpha     bool
}

func parseSort(c *Call) (sorting, error) {
	s := sorting{count: -1}
	for i := 2; i < len(c.Args); i++ {
		left := len(c.Args) - i - 1
		switch word := strings.ToLower(c.Args[i]); {
		case word == "asc":
			s.desc = false
		case word == "desc":
			s.desc = true
		case word == "alpha":
			s.alpha = true
		case word == "limit" && left >= 2:
			var err error
			if s.start, err = c.Int(i + 1); err != nil {
				return s, err
			}
			if s.count, err = c.Int(i + 2); err != nil {
				return s, err
			}
			i += 2
		case word == "store" && left >= 1 && c.Command.Name == "sort":
			i++
			s.store, s.stored = c.Args[i], true
		case word == "by" && left >= 1:
			i++
			s.by, s.byGiven = c.Args[i], true
			s.unsorted = s.unsorted || !strings.Contains(s.by, "*")
		case word == "get" && left >= 1:
			i++
			s.get = append(s.get, parseSortPattern(c.Args[i]))
		default:
			return s, ErrSyntax
		}
	}
	return s, nil
}

// sortItem is an element with what it is sorted by.
type sortItem struct {
	elem   string
	score  float64
	weight string
	has    bool // the weight exists
}

// SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]
// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]
func sortCommand(c *Call) error {
	s, err := parseSort(c)
	if err != nil {
		return err
	}
	elems, isSet, err := c.sortElements(s)
	if err != nil {
		return err
	}
	if s.unsorted && isSet && (s.stored || c.Scripted) {
		// What is stored, and what a script does, must not depend on the set's order.
		s.unsorted, s.byGiven, s.alpha = false, false, true
	}
	if c.Txn.Take(keyspace.ElementWork * int64(len(elems))); c.Txn.Err() != nil {
		return c.Txn.Err()
	}
	items := make([]sortItem, len(elems))
	for i, e := range elems {
		items[i].elem = e
	}
	if !s.unsorted {
		if err := c.weigh(items, s); err != nil {
			return err
		}
		slices.SortStableFunc(items, s.compare)
	}
	return c.sortReply(s.limit(items), s)
}

// sortElements reads the value to be sorted, in its own order.
func (c *Call) sortElements(s sorting) (elems []string, isSet bool, err error) {
	key := c.Args[1]
	switch typ := c.Txn.Type(key); typ {
	case "none":
		return nil, false, nil
	case "list":
		l, _ := c.Txn.List(key)
		for v := range l.From(0, l.Len()) {
			elems = append(elems, v)
		}
	case "set":
		set, _ := c.Txn.Set(key)
		return slices.AppendSeq(make([]string, 0, set.Len()), set.All()), true, nil
	case "zset":
		z, _ := c.Txn.ZSet(key)
		// In order, for BY may be constant; then DESC reverses it.
		for m := range z.Ordered(s.unsorted && s.desc, 0) {
			elems = append(elems, m.Name)
		}
	default:
		return nil, false, keyspace.ErrWrongType
	}
	return elems, false, nil
}

// weigh finds out what the items are sorted by.
func (c *Call) weigh(items []sortItem, s sorting) error {
	by := parseSortPattern(s.by)
	if s.byGiven {
		c.fetchPatterns(items, by)
	}
	for i := range items {
		it := &items[i]
		it.weight, it.has = it.elem, true
		if s.byGiven {
			if it.weight, it.has = c.lookupPattern(by, it.elem); !it.has {
				continue
			}
		}
		if s.alpha {
			continue
		}
		var ok bool
		if it.score, ok = sortScore(it.weight); !ok {
			return Error("ERR One or more scores can't be converted into double")
		}
	}
	return nil
}

// sortScore reads a number as C's strtod does: blanks in front are skipped, a
// NUL byte ends it, and nothing at all is 0.
func sortScore(text string) (float64, bool) {
	text, _, _ = strings.Cut(text, "\x00")
	if text == "" {
		return 0, true
	}
	return num.ParseFloat(strings.TrimLeft(text, " \t\n\v\f\r"))
}

// compare orders two items. Numbers that are equal are told apart by the
// elements; elements without a weight come first in alphabetical order.
func (s sorting) compare(a, b sortItem) int {
	var r int
	switch {
	case !s.alpha:
		r = cmp.Or(cmp.Compare(a.score, b.score), strings.Compare(a.elem, b.elem))
	case a.has != b.has:
		r = 1
		if b.has {
			r = -1
		}
	default:
		r = strings.Compare(a.weight, b.weight)
	}
	if s.desc {
		return -r
	}
	return r
}

// limit cuts out what LIMIT asks for.
func (s sorting) limit(items []sortItem) []sortItem {
	n := int64(len(items))
	start := min(max(s.start, 0), n)
	end := n
	if s.count >= 0 {
		end = start + min(s.count, n-start)
	}
	return items[start:end]
}

// sortReply replies the items, or what GET makes of them, or stores it.
func (c *Call) sortReply(items []sortItem, s sorting) error {
	if len(s.get) == 0 {
		s.get = []sortPattern{{self: true}}
	}
	c.fetchPatterns(items, s.get...)
	if s.stored {
		if c.Txn.Take(16 * int64(len(items)) * int64(len(s.get))); c.Txn.Err() != nil {
			return c.Txn.Err()
		}
		out := make([]string, 0, len(items)*len(s.get))
		for _, it := range items {
			for _, pattern := range s.get {
				v, _ := c.lookupPattern(pattern, it.elem)
				out = append(out, v)
			}
		}
		c.Txn.NotifyMissed(c.Args[1])
		if len(out) == 0 {
			c.Txn.Delete(s.store)
		} else {
			c.Txn.NewList(s.store).PushRight(out...)
			c.Txn.Notify(keyspace.ListEvents, "sortstore", s.store)
		}
		c.W.Int(int64(len(out)))
		return nil
	}
	mark := c.W.Mark()
	c.W.Array(len(items) * len(s.get))
	for _, it := range items {
		for _, pattern := range s.get {
			c.W.BulkOrNull(c.lookupPattern(pattern, it.elem))
		}
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	return nil
}

// sortPattern is a BY or GET pattern, taken apart at its star and its arrow.
type sortPattern struct {
	self          bool // "#": the element itself
	place         bool // it has a place for the element
	before, after string
	field         string // of a hash; "": the key is a string
}

func parseSortPattern(text string) sortPattern {
	p := sortPattern{self: text == "#"}
	p.before, p.after, p.place = strings.Cut(text, "*")
	if rest, field, arrow := strings.Cut(p.after, "->"); arrow && field != "" {
		p.after, p.field = rest, field
	}
	return p
}

// key is the key that the pattern means for an element. Not ok if there can be no such key.
func (p sortPattern) key(elem string) (key string, ok bool) {
	if p.self || !p.place || len(p.before)+len(elem)+len(p.after) > keyspace.MaxKeySize {
		return "", false
	}
	return p.before + elem + p.after, true
}

// fetchPatterns reads, in one round, the keys that patterns lead to.
func (c *Call) fetchPatterns(items []sortItem, patterns ...sortPattern) {
	var keys []string
	size := int64(0) // of the keys
	seen := make(map[sortPattern]bool, len(patterns))
	for _, p := range patterns {
		if p.self || !p.place || seen[p] {
			continue
		}
		seen[p] = true
		for _, it := range items {
			key, ok := p.key(it.elem)
			n := keyspace.ElementMemory + int64(len(key))
			if c.Txn.Take(n); c.Txn.Err() != nil {
				return
			}
			size += n
			if ok {
				keys = append(keys, key)
			}
		}
	}
	if len(keys) > 0 {
		c.Txn.Prefetch(keys)
	}
	c.Txn.Hold(-size)
}

// lookupPattern is what a BY or GET pattern leads to for an element.
func (c *Call) lookupPattern(p sortPattern, elem string) (string, bool) {
	c.Txn.Spend(keyspace.ElementWork)
	if p.self {
		return elem, true
	}
	key, ok := p.key(elem)
	if !ok || c.Txn.Err() != nil {
		return "", false
	}
	c.Txn.Spend(int64(len(key)))
	if p.field != "" {
		h, err := c.Txn.Hash(key)
		if err != nil {
			return "", false
		}
		f, ok := h.Get(p.field)
		return h.Text(f), ok
	}
	v, ok, err := c.Txn.String(key)
	return v, ok && err == nil
}

// sortPatterns are the keys that BY and GET lead to, which are in the data.
var sortPatterns = KeySearch{Use: "RO access"}
