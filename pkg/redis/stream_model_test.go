package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// streamModel is a stream as simple as can be. The id n stands for n-0.
type streamModel struct {
	now     int64 // Unix ms
	pad     int   // how long values are
	ids     []int // of entries
	last    int
	removed int
	added   int
	groups  map[string]*groupModel
}

type groupModel struct {
	last      int
	consumers map[string]int64 // when they were active; -1: never
	pending   map[int]*pendingModel
}

type pendingModel struct {
	consumer string
	at       int64
	count    int
}

func newStreamModel(now time.Time, pad int) *streamModel {
	return &streamModel{now: now.UnixMilli(), pad: pad, groups: map[string]*groupModel{}}
}

func streamIDText(n int) string { return fmt.Sprintf("%d-0", n) }

func (m *streamModel) value(id int) string {
	return fmt.Sprintf("%d%s", id, strings.Repeat("x", id*37%(m.pad+1)))
}

func (m *streamModel) has(id int) bool {
	_, ok := slices.BinarySearch(m.ids, id)
	return ok
}

func (m *streamModel) entry(id int) string {
	return fmt.Sprintf("[%q [%q %q]]", streamIDText(id), "f", m.value(id))
}

func (m *streamModel) between(from, to int) []int {
	var out []int
	for _, id := range m.ids {
		if id >= from && id <= to {
			out = append(out, id)
		}
	}
	return out
}

func (m *streamModel) entries(ids []int) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = m.entry(id)
	}
	return bracket(parts)
}

func bracket(parts []string) string { return "[" + strings.Join(parts, " ") + "]" }

func firstN[T any](s []T, n int) []T { return s[:min(n, len(s))] }

func (m *streamModel) remove(id int) {
	i, _ := slices.BinarySearch(m.ids, id)
	m.ids = slices.Delete(m.ids, i, i+1)
}

func (m *streamModel) referenced(id int) bool {
	for _, g := range m.groups {
		if g.last < id || g.pending[id] != nil {
			return true
		}
	}
	return false
}

func (m *streamModel) forget(id int) {
	for _, g := range m.groups {
		delete(g.pending, id)
	}
}

// trim removes those of the ids that the policy lets go, at most n, and returns how many.
func (m *streamModel) trim(ids []int, n int, policy string) int {
	gone := 0
	for _, id := range slices.Clone(ids) {
		if gone == n {
			break
		}
		if policy == "acked" && m.referenced(id) {
			continue
		}
		if policy == "delref" {
			m.forget(id)
		}
		m.remove(id)
		gone++
	}
	return gone
}

func (g *groupModel) see(consumer string) {
	if _, ok := g.consumers[consumer]; !ok {
		g.consumers[consumer] = -1
	}
}

func (g *groupModel) ids(consumer string, from, to int) []int {
	var out []int
	for id, p := range g.pending {
		if (consumer == "" || p.consumer == consumer) && id >= from && id <= to {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// streamMachine runs commands on a stream and on its model.
type streamMachine struct {
	*testDB
	rt *rapid.T
	m  *streamModel
}

func (s *streamMachine) want(want string, args ...string) {
	s.rt.Helper()
	if got := s.do(args...); got != want {
		s.rt.Fatalf("%.300q:\n got %.2000s\nwant %.2000s", args, got, want)
	}
}

func (s *streamMachine) number(label string, low, high int) int {
	return rapid.IntRange(low, max(low, high)).Draw(s.rt, label)
}

func (s *streamMachine) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(s.rt, label)
}

// some draws ids: a run of them, or single ones from all over.
func (s *streamMachine) some() []int {
	n := s.number("ids", 1, 30)
	from := s.number("from", 1, s.m.last+2)
	var ids []int
	for i := range n {
		if rapid.Bool().Draw(s.rt, "run") {
			ids = append(ids, from+i)
		} else {
			ids = append(ids, s.number("id", 1, s.m.last+2))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func idTexts(ids []int) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = streamIDText(id)
	}
	return out
}

func quoted(ids []int) string {
	parts := idTexts(ids)
	for i := range parts {
		parts[i] = fmt.Sprintf("%q", parts[i])
	}
	return bracket(parts)
}

func (s *streamMachine) group() (string, *groupModel) {
	name := s.pick("group", "g", "h", "a group with a name of some length")
	return name, s.m.groups[name]
}

func (s *streamMachine) consumer() string { return s.pick("consumer", "alice", "bob", "carol") }

func (s *streamMachine) add() {
	n := s.number("entries", 1, 120)
	var lines []string
	for range n {
		s.m.last += 1 + s.m.last%3
		s.m.ids = append(s.m.ids, s.m.last)
		s.m.added++
		lines = append(lines, fmt.Sprintf("xadd s %s f %s", streamIDText(s.m.last), s.m.value(s.m.last)))
	}
	if _, err := s.multi(lines...); err != nil {
		s.rt.Fatal(err)
	}
}

func (s *streamMachine) addTrimming() {
	n := s.number("length", 0, len(s.m.ids)+1)
	s.m.last++
	s.m.ids = append(s.m.ids, s.m.last)
	s.m.added++
	s.m.ids = slices.Clone(s.m.ids[max(0, len(s.m.ids)-n):])
	s.want(fmt.Sprintf("%q", streamIDText(s.m.last)), "xadd", "s", "maxlen", fmt.Sprint(n), streamIDText(s.m.last), "f", s.m.value(s.m.last))
}

func (s *streamMachine) readGroup() {
	name, g := s.group()
	consumer, count := s.consumer(), s.number("count", 1, 150)
	args := []string{"xreadgroup", "group", name, consumer, "count", fmt.Sprint(count), "streams", "s", ">"}
	if g == nil {
		s.want("(error) NOGROUP No such key 's' or consumer group '"+name+"' in XREADGROUP with GROUP option", args...)
		return
	}
	g.see(consumer)
	ids := firstN(s.m.between(g.last+1, s.m.last), count)
	if len(ids) == 0 {
		s.want("(nil)", args...)
		return
	}
	for _, id := range ids {
		g.pending[id] = &pendingModel{consumer, s.m.now, 1}
	}
	g.last, g.consumers[consumer] = ids[len(ids)-1], s.m.now
	s.want(`[["s" `+s.m.entries(ids)+"]]", args...)
}

func (s *streamMachine) history() {
	name, g := s.group()
	if g == nil {
		return
	}
	consumer, count, after := s.consumer(), s.number("count", 1, 30), s.number("after", 0, s.m.last)
	g.see(consumer)
	var parts []string
	for _, id := range firstN(g.ids(consumer, after+1, s.m.last), count) {
		if !s.m.has(id) {
			parts = append(parts, fmt.Sprintf("[%q (nil)]", streamIDText(id)))
			continue
		}
		parts = append(parts, s.m.entry(id))
		g.pending[id].at = s.m.now
		g.pending[id].count++
	}
	s.want(`[["s" `+bracket(parts)+"]]", "xreadgroup", "group", name, consumer, "count", fmt.Sprint(count), "streams", "s", streamIDText(after))
}

func (s *streamMachine) ack() {
	name, g := s.group()
	ids, n := s.some(), 0
	for _, id := range ids {
		if g != nil && g.pending[id] != nil {
			delete(g.pending, id)
			n++
		}
	}
	s.want(fmt.Sprintf("(integer) %d", n), append([]string{"xack", "s", name}, idTexts(ids)...)...)
}

func (s *streamMachine) ackDelete() {
	name, g := s.group()
	policy := s.pick("policy", "keepref", "delref", "acked")
	ids := s.some()
	var parts []string
	for _, id := range ids {
		result := -1
		if g != nil && (g.pending[id] != nil || id <= g.last && s.m.has(id)) {
			delete(g.pending, id)
			result = s.delete(id, policy)
		}
		parts = append(parts, fmt.Sprintf("(integer) %d", result))
	}
	s.want(bracket(parts), append([]string{"xackdel", "s", name, policy, "ids", fmt.Sprint(len(ids))}, idTexts(ids)...)...)
}

// delete removes an entry from the model as XDELEX would, and returns what that replies.
func (s *streamMachine) delete(id int, policy string) int {
	if policy == "acked" && s.m.referenced(id) {
		return 2
	}
	if policy == "delref" {
		s.m.forget(id)
	}
	if s.m.has(id) {
		s.m.remove(id)
		s.m.removed = max(s.m.removed, id)
	}
	return 1
}

func (s *streamMachine) deleteEntries() {
	ids, n := s.some(), 0
	for _, id := range ids {
		if s.m.has(id) {
			s.delete(id, "")
			n++
		}
	}
	s.want(fmt.Sprintf("(integer) %d", n), append([]string{"xdel", "s"}, idTexts(ids)...)...)
}

func (s *streamMachine) deleteAs() {
	policy := s.pick("policy", "keepref", "delref", "acked")
	ids := s.some()
	var parts []string
	for _, id := range ids {
		result := -1
		if s.m.has(id) {
			result = s.delete(id, policy)
		}
		parts = append(parts, fmt.Sprintf("(integer) %d", result))
	}
	s.want(bracket(parts), append([]string{"xdelex", "s", policy, "ids", fmt.Sprint(len(ids))}, idTexts(ids)...)...)
}

func (s *streamMachine) trim() {
	policy := s.pick("policy", "keepref", "delref", "acked")
	var n int
	var args []string
	if rapid.Bool().Draw(s.rt, "by length") {
		length := s.number("length", 0, len(s.m.ids)+1)
		n = s.m.trim(s.m.ids, max(0, len(s.m.ids)-length), policy)
		args = []string{"maxlen", fmt.Sprint(length)}
	} else {
		id := s.number("id", 0, s.m.last+1)
		n = s.m.trim(s.m.between(0, id-1), len(s.m.ids), policy)
		args = []string{"minid", fmt.Sprint(id)}
	}
	s.want(fmt.Sprintf("(integer) %d", n), append([]string{"xtrim", "s", policy}, args...)...)
}

func (s *streamMachine) claim() {
	name, g := s.group()
	if g == nil {
		return
	}
	consumer, ids := s.consumer(), s.some()
	idle, force := int64(s.number("idle", 0, 1)*50), rapid.Bool().Draw(s.rt, "force")
	args := append([]string{"xclaim", "s", name, consumer, fmt.Sprint(idle)}, idTexts(ids)...)
	if force {
		args = append(args, "force")
	}
	g.see(consumer)
	var claimed []int
	for _, id := range ids {
		p := g.pending[id]
		switch {
		case !s.m.has(id):
			delete(g.pending, id)
			continue
		case p == nil && !force, p != nil && s.m.now-p.at < idle:
			continue
		case p == nil:
			p = &pendingModel{count: 1}
		}
		g.pending[id] = &pendingModel{consumer, s.m.now, p.count + 1}
		g.consumers[consumer] = s.m.now
		claimed = append(claimed, id)
	}
	s.want(s.m.entries(claimed), args...)
}

func (s *streamMachine) autoClaim() {
	name, g := s.group()
	if g == nil {
		return
	}
	consumer, count, start, idle := s.consumer(), s.number("count", 1, 40), s.number("start", 0, s.m.last+1), int64(s.number("idle", 0, 1)*50)
	g.see(consumer)
	var claimed, lost []int
	next, tries := 0, 10*count
	for _, id := range g.ids("", start, s.m.last+1) {
		if tries == 0 || len(claimed)+len(lost) == count {
			next = id
			break
		}
		tries--
		switch p := g.pending[id]; {
		case !s.m.has(id):
			lost = append(lost, id)
			delete(g.pending, id)
		case s.m.now-p.at >= idle:
			claimed = append(claimed, id)
			g.pending[id] = &pendingModel{consumer, s.m.now, p.count}
			g.consumers[consumer] = s.m.now
		}
	}
	s.want(fmt.Sprintf("[%q %s %s]", streamIDText(next), quoted(claimed), quoted(lost)),
		"xautoclaim", "s", name, consumer, fmt.Sprint(idle), streamIDText(start), "count", fmt.Sprint(count), "justid")
}

func (s *streamMachine) changeGroups() {
	name, g := s.group()
	switch {
	case g == nil:
		g = &groupModel{last: s.number("id", 0, s.m.last), consumers: map[string]int64{}, pending: map[int]*pendingModel{}}
		s.m.groups[name] = g
		s.want("OK", "xgroup", "create", "s", name, streamIDText(g.last))
	case s.number("what", 0, 4) == 0:
		delete(s.m.groups, name)
		s.want("(integer) 1", "xgroup", "destroy", "s", name)
	case rapid.Bool().Draw(s.rt, "set"):
		g.last = s.number("id", 0, s.m.last)
		s.want("OK", "xgroup", "setid", "s", name, streamIDText(g.last))
	default:
		consumer := s.consumer()
		ids := g.ids(consumer, 0, s.m.last)
		for _, id := range ids {
			delete(g.pending, id)
		}
		delete(g.consumers, consumer)
		s.want(fmt.Sprintf("(integer) %d", len(ids)), "xgroup", "delconsumer", "s", name, consumer)
	}
}

func (s *streamMachine) ranges() {
	from, to, count := s.number("from", 0, s.m.last+1), s.number("to", 0, s.m.last+1), s.number("count", 1, 100)
	ids := s.m.between(from, to)
	s.want(s.m.entries(firstN(ids, count)), "xrange", "s", streamIDText(from), streamIDText(to), "count", fmt.Sprint(count))
	slices.Reverse(ids)
	s.want(s.m.entries(firstN(ids, count)), "xrevrange", "s", streamIDText(to), streamIDText(from), "count", fmt.Sprint(count))
	want := "(nil)"
	if ids := firstN(s.m.between(from+1, s.m.last), count); len(ids) > 0 {
		want = `[["s" ` + s.m.entries(ids) + "]]"
	}
	s.want(want, "xread", "count", fmt.Sprint(count), "streams", "s", streamIDText(from))
}

// move copies the stream, and gives the copy the old name.
func (s *streamMachine) move() {
	s.want("(integer) 1", "copy", "s", "twin")
	s.want("OK", "rename", "twin", "s")
}

func (s *streamMachine) wait() {
	d := time.Duration(s.number("ms", 1, 100)) * time.Millisecond
	if s.number("long", 0, 3) == 0 {
		d = time.Hour
	}
	s.clock.advance(d)
	s.m.now += d.Milliseconds()
	s.reclaim()
}

// check compares all there is to know.
func (s *streamMachine) check() {
	s.rt.Helper()
	s.want(fmt.Sprintf("(integer) %d", len(s.m.ids)), "xlen", "s")
	s.want(s.m.entries(s.m.ids), "xrange", "s", "-", "+")
	back := slices.Clone(s.m.ids)
	slices.Reverse(back)
	s.want(s.m.entries(back), "xrevrange", "s", "+", "-")
	first := 0
	if len(s.m.ids) > 0 {
		first = s.m.ids[0]
	}
	info := s.cmd("xinfo stream s")
	if want := fmt.Sprintf("%q %q %q %q %q (integer) %d %q %q", "last-generated-id", streamIDText(s.m.last), "max-deleted-entry-id", streamIDText(s.m.removed),
		"entries-added", s.m.added, "recorded-first-entry-id", streamIDText(first)); !strings.Contains(info, want) {
		s.rt.Fatalf("XINFO STREAM: %s, want %s", info, want)
	}
	for name, g := range s.m.groups {
		ids := g.ids("", 0, s.m.last+1)
		var parts []string
		for _, id := range ids {
			p := g.pending[id]
			parts = append(parts, fmt.Sprintf("[%q %q (integer) %d (integer) %d]", streamIDText(id), p.consumer, s.m.now-p.at, p.count))
		}
		s.want(bracket(parts), "xpending", "s", name, "-", "+", "100000")
		parts = nil
		var summary []string
		for _, consumer := range []string{"alice", "bob", "carol"} {
			active, ok := g.consumers[consumer]
			n := len(g.ids(consumer, 0, s.m.last+1))
			if n > 0 {
				summary = append(summary, fmt.Sprintf("[%q \"%d\"]", consumer, n))
			}
			if active >= 0 {
				active = s.m.now - active
			}
			if ok {
				parts = append(parts, fmt.Sprintf("%q (integer) %d %d", consumer, n, active))
			}
		}
		var got []string
		reply := s.do("xinfo", "consumers", "s", name)
		for _, c := range strings.Split(strings.Trim(reply, "[]"), "] [") {
			var consumer string
			var n, idle, active int64
			if reply == "[]" {
				break
			}
			if _, err := fmt.Sscanf(c, `"name" %q "pending" (integer) %d "idle" (integer) %d "inactive" (integer) %d`, &consumer, &n, &idle, &active); err != nil {
				s.rt.Fatalf("%s: %v", c, err)
			}
			got = append(got, fmt.Sprintf("%q (integer) %d %d", consumer, n, active))
		}
		if !slices.Equal(got, parts) {
			s.rt.Fatalf("XINFO CONSUMERS: got %q, want %q", got, parts)
		}
		want := "[(integer) 0 (nil) (nil) (nil)]"
		if len(ids) > 0 {
			want = fmt.Sprintf("[(integer) %d %q %q %s]", len(ids), streamIDText(ids[0]), streamIDText(ids[len(ids)-1]), bracket(summary))
		}
		s.want(want, "xpending", "s", name)
	}
	if got := s.do("xinfo", "groups", "s"); strings.Count(got, `"name"`) != len(s.m.groups) {
		s.rt.Fatalf("XINFO GROUPS: %s, want %d", got, len(s.m.groups))
	}
}

// Streams of all sizes do what a simple model does.
func TestStreamsDoAsTheirModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		led := newLedger(t)
		d := newTestEngineOn(t, led)
		s := &streamMachine{testDB: d, rt: rt, m: newStreamModel(d.clock.now(), rapid.SampledFrom([]int{0, 20, 200, 2000}).Draw(rt, "pad"))}
		s.want("OK", "xgroup", "create", "s", "g", "0", "mkstream")
		s.m.groups["g"] = &groupModel{consumers: map[string]int64{}, pending: map[int]*pendingModel{}}
		actions := []func(){
			s.add, s.add, s.add, s.addTrimming, s.readGroup, s.readGroup, s.readGroup, s.history, s.ack, s.ack, s.ackDelete, s.deleteEntries, s.deleteAs,
			s.trim, s.claim, s.autoClaim, s.changeGroups, s.ranges, s.move, s.wait,
		}
		for range 60 {
			actions[s.number("action", 0, len(actions)-1)]()
		}
		s.check()

		// Nothing is left of a stream that is deleted.
		d.do("del", "s")
		d.clock.advance(time.Hour)
		d.reclaim()
		if left := left(led); len(left) > 0 {
			rt.Fatalf("%d items are left: %.500q", len(left), left)
		}
	})
}
