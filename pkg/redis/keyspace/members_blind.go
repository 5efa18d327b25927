package keyspace

import "github.com/skystash/skystash/pkg/store"

// AddMembers adds distinct members to an inline set.
func (b *Blind) AddMembers(members []string) *Plan {
	if !Small(members) {
		return nil
	}
	edits := make([]store.Edit, 0, len(members)+4)
	edits = append(edits, store.Set(attrType, store.Bytes(typeSet)))
	for _, m := range members {
		edits = append(edits, store.Set(memberAttr(m), store.Bytes("")))
	}
	return &Plan{Op: store.Update(b.key, b.liveOr(typeSet), edits...), Collection: true}
}

// AddScores gives members of an inline sorted set, which are Small, their scores; of one given twice the last score counts. names are the
// members, each once.
func (b *Blind) AddScores(members []ZMember) (p *Plan, names []string) {
	edits := make([]store.Edit, 0, len(members)+4)
	edits = append(edits, store.Set(attrType, store.Bytes(typeZSet)))
	at := make(map[string]int, len(members))
	names = make([]string, 0, len(members))
	for _, m := range members {
		set := store.Set(memberAttr(m.Name), store.Bytes(encodeScore(m.Score)))
		if i, again := at[m.Name]; again {
			edits[i] = set
			continue
		}
		at[m.Name] = len(edits)
		names = append(names, m.Name)
		edits = append(edits, set)
	}
	return &Plan{Op: store.Update(b.key, b.liveOr(typeZSet), edits...), Collection: true}, names
}

// RemoveMembers removes distinct members of an inline set.
func (b *Blind) RemoveMembers(members []string) *Plan { return b.remove(typeSet, members) }

// RemoveScored removes distinct members of an inline sorted set.
func (b *Blind) RemoveScored(members []string) *Plan { return b.remove(typeZSet, members) }

// remove: the key must exist, so that none is created, and must not expire, so that no expiry outlives its members.
func (b *Blind) remove(typ string, members []string) *Plan {
	if !Small(members) {
		return nil
	}
	edits := make([]store.Edit, 0, len(members)+4)
	for _, m := range members {
		edits = append(edits, store.Remove(memberAttr(m)))
	}
	return &Plan{
		Op:         store.Update(b.key, store.And{store.Eq(attrType, store.Bytes(typ)), store.Absent(attrExpiry)}, edits...),
		Collection: true,
	}
}

// CountMembers is how many of the members an inline set or sorted set had, given its head.
func (b *Blind) CountMembers(old store.Attrs, members []string) int64 {
	var n int64
	for _, m := range members {
		if old.Has(memberAttr(m)) {
			n++
		}
	}
	return n
}
