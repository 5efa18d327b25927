package keyspace

import "github.com/skystash/skystash/pkg/redis/internal/rdb"

func (z *ZSet) belongTo(ent *entry)            { z.ms().belongTo(ent) }
func (z *ZSet) empty() bool                    { return z.ms().empty() }
func (z *ZSet) materialise()                   { z.ms().decode() }
func (z *ZSet) encode(u *update) (spread bool) { return z.ms().encode(u, true) }
func (z *ZSet) copyTo(key string)              { z.ms().addTo(z.tx.NewZSet(key).ms()) }
func (z *ZSet) size(samples int64) int64       { return z.ms().size(samples) }

func (z *ZSet) dump(fits func(n int) bool) rdb.Value {
	v := rdb.Value{Kind: rdb.ZSet}
	for m := range z.Ordered(true, 0) { // the order in which Redis writes them
		if v.ZSet = append(v.ZSet, rdb.Member(m)); !fits(len(m.Name) + 8) {
			break
		}
	}
	return v
}

// restore fills a new sorted set.
func (z *ZSet) restore(members []rdb.Member) {
	for _, m := range members {
		z.Set(m.Name, m.Score)
	}
}

func (z *ZSet) encoding() string {
	if z.ms().compact(listpackZSetLen, false) {
		return "listpack"
	}
	return "skiplist"
}

// PopEnd removes and returns up to n members with the lowest scores, or the highest.
func (z *ZSet) PopEnd(n int64, highest bool) []ZMember {
	found := z.Range(0, min(n, z.Len())-1, highest)
	z.RemoveFound(found)
	return found
}
