package jsondoc

// Delete removes from a document the values that matched, other than itself, and returns how many
// of them there were that do not lie in others of them.
func Delete(root *Value, matches []Match) int {
	if len(matches) == 0 {
		return 0
	}
	marked := make(map[*Value]bool, len(matches))
	for _, m := range matches {
		marked[m.Value] = true
	}
	return root.prune(marked)
}

// prune closes up over the marked values below v.
func (v *Value) prune(marked map[*Value]bool) int {
	if v.sub == nil {
		return 0
	}
	c, kept, n := v.sub, 0, 0
	for i := range c.items {
		if marked[&c.items[i]] {
			n++
			continue
		}
		n += c.items[i].prune(marked)
		if kept < i {
			c.items[kept] = c.items[i]
			if v.kind == Object {
				c.names[kept] = c.names[i]
			}
		}
		kept++
	}
	if kept < len(c.items) {
		clear(c.items[kept:])
		c.items, c.index = c.items[:kept], nil
		if v.kind == Object {
			c.names = c.names[:kept]
		}
	}
	return n
}

// Merge applies a JSON Merge Patch (RFC 7396): members of objects are merged, those whose
// patch is null are removed, and everything else is replaced.
func (v *Value) Merge(patch *Value) {
	if patch.kind != Object {
		*v = patch.Clone()
		return
	}
	if v.kind != Object {
		*v = NewObject()
	}
	for name, p := range patch.Members() {
		switch m := v.Member(name); {
		case p.kind == Null:
			v.DeleteMember(name)
		case m != nil:
			m.Merge(p)
		default:
			var added Value
			added.Merge(p)
			v.SetMember(name, added)
		}
	}
}

// Clear empties an array or object and sets a number to 0. It reports whether that changed anything.
func (v *Value) Clear() bool {
	switch {
	case v.sub != nil && len(v.sub.items) > 0:
		v.sub = &container{}
	case v.kind == Number && parseFloat(v.text) != 0:
		*v = NewInt(0)
	default:
		return false
	}
	return true
}
