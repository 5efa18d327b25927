package command

import (
	"cmp"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/geo"
	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// GEOSEARCH, GEOSEARCHSTORE, GEORADIUS, GEORADIUS_RO, GEORADIUSBYMEMBER, GEORADIUSBYMEMBER_RO.

const (
	errGeoRadius    Error = "ERR need numeric radius"
	errGeoRadiusNeg Error = "ERR radius cannot be negative"
	errGeoWidth     Error = "ERR need numeric width"
	errGeoHeight    Error = "ERR need numeric height"
	errGeoBoxNeg    Error = "ERR height or width cannot be negative"
	errGeoMember    Error = "ERR could not decode requested zset member"
	errGeoCount     Error = "ERR COUNT must be > 0"
	errGeoAny       Error = "ERR the ANY argument requires COUNT argument"
)

func geoSearchCommands() []*Command {
	return []*Command{
		{Name: "geosearch", Arity: -7, Flags: ReadOnly, Keys: OneKey, Group: "geo", Since: "6.2.0", Summary: "Returns the members inside a circle or a box.", Run: geosearch},
		{Name: "geosearchstore", Arity: -8, Flags: Write | DenyOOM, Keys: TwoKeys, Use: "OW update", UseThen: "RO access", Event: "geosearchstore", Group: "geo", Since: "6.2.0", Summary: "Stores the members inside a circle or a box.", Run: geosearchstore},
		{Name: "georadius", Arity: -6, Flags: Write | DenyOOM | Movable, Keys: OneKey, Getkeys: func(args []string) []string { return geoRadiusKeys(args, 6) }, Further: geoStores(6), Use: "RO access", UseThen: "OW update", Event: "georadiusstore", Group: "geo", Since: "3.2.0", Summary: "Returns or stores the members inside a circle.", Run: georadius},
		{Name: "georadius_ro", Arity: -6, Flags: ReadOnly, Keys: OneKey, Group: "geo", Since: "3.2.10", Summary: "Returns the members inside a circle.", Run: georadius},
		{Name: "georadiusbymember", Arity: -5, Flags: Write | DenyOOM | Movable, Keys: OneKey, Getkeys: func(args []string) []string { return geoRadiusKeys(args, 5) }, Further: geoStores(5), Use: "RO access", UseThen: "OW update", Event: "georadiusstore", Group: "geo", Since: "3.2.0", Summary: "Returns or stores the members inside a circle around a member.", Run: georadiusbymember},
		{Name: "georadiusbymember_ro", Arity: -5, Flags: ReadOnly, Keys: OneKey, Group: "geo", Since: "3.2.10", Summary: "Returns the members inside a circle around a member.", Run: georadiusbymember},
	}
}

// geoRadiusKeys are the keys of GEORADIUS, whose options start at argument i: the one
// searched and the one stored to.
func geoRadiusKeys(args []string, i int) []string {
	keys := args[1:2]
	for ; i+1 < len(args); i++ {
		if strings.EqualFold(args[i], "store") || strings.EqualFold(args[i], "storedist") {
			keys = []string{args[1], args[i+1]} // the last one counts
			i++
		}
	}
	return keys
}

// geoQuery is what a search is asked for.
type geoQuery struct {
	zset   *keyspace.ZSet
	center *geo.Point // nil: around a member, but there is no such key
	unit   float64    // metres

	search, store bool // GEOSEARCH or GEOSEARCHSTORE; the latter
	mayStore      bool // STORE and STOREDIST are options

	from, by            string // the options that said where and how far
	radius              float64
	width, height       float64
	withDist, withHash  bool
	withCoord, distance bool // distance: store distances for scores
	asc, desc, any      bool
	count               int64 // 0: all
	dest                string
	stores              bool
}

// geoHit is a member found.
type geoHit struct {
	keyspace.ZMember
	at       geo.Point
	distance float64 // metres
}

// geoMember is the position of a member.
func (q *geoQuery) geoMember(name string) error {
	if q.zset == nil {
		return nil
	}
	score, ok := q.zset.Score(name)
	if !ok {
		return errGeoMember
	}
	p := geo.Decode(score)
	q.center = &p
	return nil
}

// geoRadius reads radius and unit from argument i on.
func (c *Call) geoRadius(i int, q *geoQuery) error {
	var ok bool
	if q.radius, ok = num.ParseFloat(c.Args[i]); !ok {
		return errGeoRadius
	}
	if q.radius < 0 {
		return errGeoRadiusNeg
	}
	if q.unit, ok = geo.Unit(c.Args[i+1]); !ok {
		return errGeoUnit
	}
	return nil
}

// geoBox reads width, height and unit from argument i on.
func (c *Call) geoBox(i int, q *geoQuery) error {
	var ok bool
	if q.width, ok = num.ParseFloat(c.Args[i]); !ok {
		return errGeoWidth
	}
	if q.height, ok = num.ParseFloat(c.Args[i+1]); !ok {
		return errGeoHeight
	}
	if q.width < 0 || q.height < 0 {
		return errGeoBoxNeg
	}
	if q.unit, ok = geo.Unit(c.Args[i+2]); !ok {
		return errGeoUnit
	}
	return nil
}

// geoOptions reads the options from argument i on.
func (c *Call) geoOptions(i int, q *geoQuery) error {
	for ; i < len(c.Args); i++ {
		left := len(c.Args) - i - 1
		switch {
		case c.Is(i, "withdist"):
			q.withDist = true
		case c.Is(i, "withhash"):
			q.withHash = true
		case c.Is(i, "withcoord"):
			q.withCoord = true
		case c.Is(i, "any"):
			q.any = true
		case c.Is(i, "asc"):
			q.asc, q.desc = true, false
		case c.Is(i, "desc"):
			q.asc, q.desc = false, true
		case c.Is(i, "count") && left >= 1:
			i++
			var err error
			if q.count, err = c.Int(i); err != nil {
				return err
			}
			if q.count <= 0 {
				return errGeoCount
			}
		case q.mayStore && left >= 1 && (c.Is(i, "store") || c.Is(i, "storedist")):
			q.distance = c.Is(i, "storedist")
			i++
			q.dest, q.stores = c.Args[i], true
		case q.store && c.Is(i, "storedist"):
			q.distance = true
		case q.search && left >= 1 && q.from != "fromlonlat" && c.Is(i, "frommember"):
			i++
			q.from = "frommember"
			if err := q.geoMember(c.Args[i]); err != nil {
				return err
			}
		case q.search && left >= 2 && q.from != "frommember" && c.Is(i, "fromlonlat"):
			p, err := c.point(i + 1)
			if err != nil {
				return err
			}
			q.from, q.center = "fromlonlat", &p
			i += 2
		case q.search && left >= 2 && q.by != "bybox" && c.Is(i, "byradius"):
			if err := c.geoRadius(i+1, q); err != nil {
				return err
			}
			q.by = "byradius"
			i += 2
		case q.search && left >= 3 && q.by != "byradius" && c.Is(i, "bybox"):
			if err := c.geoBox(i+1, q); err != nil {
				return err
			}
			q.by = "bybox"
			i += 3
		default:
			return ErrSyntax
		}
	}
	switch {
	case q.stores && (q.withDist || q.withHash || q.withCoord):
		what := "STORE option in GEORADIUS"
		if q.store {
			what = "GEOSEARCHSTORE"
		}
		return Error("ERR " + what + " is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
	case q.search && q.from == "":
		return Error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + c.Args[0])
	case q.search && q.by == "":
		return Error("ERR exactly one of BYRADIUS and BYBOX can be specified for " + c.Args[0])
	case q.any && q.count == 0:
		return errGeoAny
	}
	return nil
}

// find runs the search. With ANY it stops at the count.
func (q *geoQuery) find() []geoHit {
	if q.zset == nil || q.center == nil {
		return nil
	}
	area := geo.Circle(*q.center, q.radius*q.unit)
	if q.by == "bybox" {
		area = geo.Box(*q.center, q.width*q.unit, q.height*q.unit)
	}
	var hits []geoHit
	for _, r := range area.Ranges() {
		scores := keyspace.ScoreRange{Min: keyspace.ScoreBound{Score: r.Min}, Max: keyspace.ScoreBound{Score: r.Max, Exclusive: true}}
		for m := range q.zset.ByScore(scores, false, 0) {
			p := geo.Decode(m.Score)
			if d, ok := area.Contains(p); ok {
				hits = append(hits, geoHit{m, p, d})
			}
			if q.any && int64(len(hits)) >= q.count {
				break
			}
		}
		if q.any && int64(len(hits)) >= q.count {
			break
		}
	}
	switch byDistance := func(a, b geoHit) int { return cmp.Compare(a.distance, b.distance) }; {
	case q.desc:
		slices.SortStableFunc(hits, func(a, b geoHit) int { return byDistance(b, a) })
	case q.asc || q.count > 0 && !q.any: // the nearest
		slices.SortStableFunc(hits, byDistance)
	}
	if q.count > 0 && int64(len(hits)) > q.count {
		hits = hits[:q.count]
	}
	return hits
}

// answer replies with what the search finds, or stores it.
func (q *geoQuery) answer(c *Call) error {
	hits := q.find()
	if !q.stores {
		return c.writeHits(q, hits)
	}
	members := make([]keyspace.ZMember, len(hits))
	for i, h := range hits {
		members[i] = h.ZMember
		if q.distance {
			members[i].Score = h.distance / q.unit
		}
	}
	source := c.Args[1]
	if q.store {
		source = c.Args[2]
	}
	c.Txn.NotifyMissed(source)
	c.W.Int(c.storeMembers(q.dest, members))
	return nil
}

// writeHits writes names, or arrays of name, distance, hash and position as far as asked for.
func (c *Call) writeHits(q *geoQuery, hits []geoHit) error {
	parts := 1
	for _, with := range []bool{q.withDist, q.withHash, q.withCoord} {
		if with {
			parts++
		}
	}
	mark := c.W.Mark()
	c.W.Array(len(hits))
	for _, h := range hits {
		if parts > 1 {
			c.W.Array(parts)
		}
		c.W.Bulk(h.Name)
		if q.withDist {
			c.W.Bulk(geo.FormatDistance(h.distance / q.unit))
		}
		if q.withHash {
			c.W.Int(int64(h.Score))
		}
		if q.withCoord {
			c.writePoint(h.at)
		}
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	return nil
}

// GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius unit | BYBOX width height unit> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]
func geosearch(c *Call) error {
	return c.geoSearch(c.Args[1], 2, &geoQuery{search: true})
}

// GEOSEARCHSTORE destination source <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius unit | BYBOX width height unit> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]
func geosearchstore(c *Call) error {
	return c.geoSearch(c.Args[2], 3, &geoQuery{search: true, store: true, stores: true, dest: c.Args[1]})
}

func (c *Call) geoSearch(key string, i int, q *geoQuery) error {
	var err error
	if q.zset, err = c.Txn.ZSet(key); err != nil {
		return err
	}
	if err := c.geoOptions(i, q); err != nil {
		return err
	}
	return q.answer(c)
}

// GEORADIUS key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]
//
// GEORADIUS_RO is the same without STORE and STOREDIST.
func georadius(c *Call) error {
	q := &geoQuery{mayStore: c.Command.Has(Write)}
	var err error
	if q.zset, err = c.Txn.ZSet(c.Args[1]); err != nil {
		return err
	}
	p, err := c.point(2)
	if err != nil {
		return err
	}
	q.center = &p
	if err := c.geoRadius(4, q); err != nil {
		return err
	}
	if err := c.geoOptions(6, q); err != nil {
		return err
	}
	return q.answer(c)
}

// GEORADIUSBYMEMBER key member radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]
//
// GEORADIUSBYMEMBER_RO is the same without STORE and STOREDIST.
func georadiusbymember(c *Call) error {
	q := &geoQuery{mayStore: c.Command.Has(Write)}
	var err error
	if q.zset, err = c.Txn.ZSet(c.Args[1]); err != nil {
		return err
	}
	if q.zset != nil { // as Redis, which does not look at the radius otherwise
		if err := q.geoMember(c.Args[2]); err != nil {
			return err
		}
		if err := c.geoRadius(3, q); err != nil {
			return err
		}
	}
	if err := c.geoOptions(5, q); err != nil {
		return err
	}
	return q.answer(c)
}

// geoStores are the destinations of GEORADIUS. from is where their words may be.
func geoStores(from int) []KeySearch {
	return []KeySearch{
		{Keyword: "STORE", From: from, Step: 1, Use: "OW update"},
		{Keyword: "STOREDIST", From: from, Step: 1, Use: "OW update"},
	}
}
