package command

import (
	"fmt"

	"github.com/skystash/skystash/pkg/redis/internal/geo"
	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// GEOADD, GEODIST, GEOHASH, GEOPOS. Searches are in cmd_geo_search.go. A geospatial index is
// a sorted set whose scores are positions, see package geo.

const errGeoUnit Error = "ERR unsupported unit provided. please use M, KM, FT, MI"

func geoCommands() []*Command {
	return append([]*Command{
		{Name: "geoadd", Arity: -5, Flags: Write | DenyOOM, Keys: OneKey, Use: "RW update", Event: "zadd", Group: "geo", Since: "3.2.0", Summary: "Adds members with their positions, or moves them.", Run: geoadd},
		{Name: "geodist", Arity: -4, Flags: ReadOnly, Keys: OneKey, Group: "geo", Since: "3.2.0", Summary: "Returns the distance between two members.", Run: geodist},
		{Name: "geohash", Arity: -2, Flags: ReadOnly, Keys: OneKey, Group: "geo", Since: "3.2.0", Summary: "Returns the positions of members as geohash strings.", Run: geohash},
		{Name: "geopos", Arity: -2, Flags: ReadOnly, Keys: OneKey, Group: "geo", Since: "3.2.0", Summary: "Returns the positions of members.", Run: geopos},
	}, geoSearchCommands()...)
}

// point reads longitude and latitude from argument i on.
func (c *Call) point(i int) (geo.Point, error) {
	lon, ok1 := num.ParseFloat(c.Args[i])
	lat, ok2 := num.ParseFloat(c.Args[i+1])
	if !ok1 || !ok2 {
		return geo.Point{}, errNotFloat
	}
	p := geo.Point{Longitude: lon, Latitude: lat}
	if !p.Valid() {
		return p, Error(fmt.Sprintf("ERR invalid longitude,latitude pair %s,%s", fixed6(lon), fixed6(lat)))
	}
	return p, nil
}

// fixed6 is a number as C's %f prints it.
func fixed6(f float64) string {
	switch s := fmt.Sprintf("%f", f); s {
	case "+Inf":
		return "inf"
	case "-Inf":
		return "-inf"
	default:
		return s
	}
}

// GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]
func geoadd(c *Call) error {
	var f zaddFlags
	i := 2
options:
	for ; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "nx"):
			f.nx = true
		case c.Is(i, "xx"):
			f.xx = true
		case c.Is(i, "ch"):
			f.ch = true
		default:
			break options
		}
	}
	if i == len(c.Args) || (len(c.Args)-i)%3 != 0 || f.nx && f.xx {
		return ErrSyntax
	}
	members := make([]keyspace.ZMember, 0, (len(c.Args)-i)/3)
	for ; i < len(c.Args); i += 3 {
		p, err := c.point(i)
		if err != nil {
			return err
		}
		members = append(members, keyspace.ZMember{Name: c.Args[i+2], Score: geo.Encode(p)})
	}
	n, err := c.addScores(f, members)
	if err != nil {
		return err
	}
	c.W.Int(n)
	return nil
}

// GEODIST key member1 member2 [M | KM | FT | MI]
func geodist(c *Call) error {
	unit := 1.0
	switch {
	case len(c.Args) > 5:
		return ErrSyntax
	case len(c.Args) == 5:
		var ok bool
		if unit, ok = geo.Unit(c.Args[4]); !ok {
			return errGeoUnit
		}
	}
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	z.Fetch(c.Args[2:4])
	from, ok1 := z.Score(c.Args[2])
	to, ok2 := z.Score(c.Args[3])
	if !ok1 || !ok2 {
		c.W.Null()
		return nil
	}
	c.W.Bulk(geo.FormatDistance(geo.Distance(geo.Decode(from), geo.Decode(to)) / unit))
	return nil
}

// GEOHASH key [member [member ...]]
func geohash(c *Call) error {
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	z.Fetch(c.Args[2:])
	c.W.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		score, ok := z.Score(m)
		c.W.BulkOrNull(geo.Hash(score), ok)
	}
	return nil
}

// GEOPOS key [member [member ...]]
func geopos(c *Call) error {
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	z.Fetch(c.Args[2:])
	c.W.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		if score, ok := z.Score(m); ok {
			c.writePoint(geo.Decode(score))
		} else {
			c.W.NullArray()
		}
	}
	return nil
}

// writePoint writes a pair of longitude and latitude.
func (c *Call) writePoint(p geo.Point) {
	c.W.Array(2)
	c.W.DoubleText(num.FormatHuman(p.Longitude))
	c.W.DoubleText(num.FormatHuman(p.Latitude))
}
