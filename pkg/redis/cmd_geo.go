package redis

import (
	"fmt"

	"github.com/skystash/skystash/pkg/redis/internal/geo"
	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// GEOADD, GEODIST, GEOHASH, GEOPOS. Searches are in cmd_geo_search.go. A geospatial index is
// a sorted set whose scores are positions, see package geo.

const errGeoUnit Error = "ERR unsupported unit provided. please use M, KM, FT, MI"

func geoCommands() []*command {
	return append([]*command{
		{name: "geoadd", arity: -5, flags: write | denyoom, keys: oneKey, use: "RW update", group: "geo", since: "3.2.0", summary: "Adds members with their positions, or moves them.", run: geoadd},
		{name: "geodist", arity: -4, flags: readonly, keys: oneKey, group: "geo", since: "3.2.0", summary: "Returns the distance between two members.", run: geodist},
		{name: "geohash", arity: -2, flags: readonly, keys: oneKey, group: "geo", since: "3.2.0", summary: "Returns the positions of members as geohash strings.", run: geohash},
		{name: "geopos", arity: -2, flags: readonly, keys: oneKey, group: "geo", since: "3.2.0", summary: "Returns the positions of members.", run: geopos},
	}, geoSearchCommands()...)
}

// point reads longitude and latitude from argument i on.
func (c *call) point(i int) (geo.Point, error) {
	lon, ok1 := num.ParseFloat(c.args[i])
	lat, ok2 := num.ParseFloat(c.args[i+1])
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
func geoadd(c *call) error {
	var f zaddFlags
	i := 2
options:
	for ; i < len(c.args); i++ {
		switch {
		case c.is(i, "nx"):
			f.nx = true
		case c.is(i, "xx"):
			f.xx = true
		case c.is(i, "ch"):
			f.ch = true
		default:
			break options
		}
	}
	if i == len(c.args) || (len(c.args)-i)%3 != 0 || f.nx && f.xx {
		return errSyntax
	}
	members := make([]ZMember, 0, (len(c.args)-i)/3)
	for ; i < len(c.args); i += 3 {
		p, err := c.point(i)
		if err != nil {
			return err
		}
		members = append(members, ZMember{c.args[i+2], geo.Encode(p)})
	}
	n, err := c.addScores(f, members)
	if err != nil {
		return err
	}
	c.w.Int(n)
	return nil
}

// GEODIST key member1 member2 [M | KM | FT | MI]
func geodist(c *call) error {
	unit := 1.0
	switch {
	case len(c.args) > 5:
		return errSyntax
	case len(c.args) == 5:
		var ok bool
		if unit, ok = geo.Unit(c.args[4]); !ok {
			return errGeoUnit
		}
	}
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	z.Fetch(c.args[2:4])
	from, ok1 := z.Score(c.args[2])
	to, ok2 := z.Score(c.args[3])
	if !ok1 || !ok2 {
		c.w.Null()
		return nil
	}
	c.w.Bulk(geo.FormatDistance(geo.Distance(geo.Decode(from), geo.Decode(to)) / unit))
	return nil
}

// GEOHASH key [member [member ...]]
func geohash(c *call) error {
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	z.Fetch(c.args[2:])
	c.w.Array(len(c.args) - 2)
	for _, m := range c.args[2:] {
		score, ok := z.Score(m)
		c.w.BulkOrNull(geo.Hash(score), ok)
	}
	return nil
}

// GEOPOS key [member [member ...]]
func geopos(c *call) error {
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	z.Fetch(c.args[2:])
	c.w.Array(len(c.args) - 2)
	for _, m := range c.args[2:] {
		if score, ok := z.Score(m); ok {
			c.writePoint(geo.Decode(score))
		} else {
			c.w.NullArray()
		}
	}
	return nil
}

// writePoint writes a pair of longitude and latitude.
func (c *call) writePoint(p geo.Point) {
	c.w.Array(2)
	c.w.DoubleText(num.FormatHuman(p.Longitude))
	c.w.DoubleText(num.FormatHuman(p.Latitude))
}
