package embedded

import "github.com/skystash/skystash/pkg/qstash/wake"

// shares are the hints that are due, and the calls under way, by account and host. It decides
// which call is made next; see "Fairness" in the package's documentation.
type shares struct {
	limit    int // calls at a time
	most     int // hints of an account, those that are not due yet included
	running  int
	accounts map[string]*account
	turns    turns // accounts with hints that are due
	queued   map[string]bool
	served   uint64 // calls begun
}

func newShares(limit, most int) *shares {
	return &shares{limit: limit, most: most, accounts: map[string]*account{}, queued: map[string]bool{}}
}

// account is an account with hints or calls.
type account struct {
	turn
	name    string
	hints   int  // due or not
	dropped bool // hints had no room
	lanes   map[string]*lane
	turns   turns // lanes with hints that are due
}

// lane is what an account has for one host.
type lane struct {
	turn
	account *account
	host    string
	ready   []wake.Hint // from first on
	first   int
}

// has reports whether a key is due already.
func (s *shares) has(key string) bool { return s.queued[key] }

// admit counts a hint of an account, if there is room for it.
func (s *shares) admit(name string) bool {
	a := s.accounts[name]
	if a == nil {
		a = &account{name: name, lanes: map[string]*lane{}}
		a.self = a
		s.accounts[name] = a
	}
	if a.hints >= s.most {
		a.dropped = true
		return false
	}
	a.hints++
	return true
}

// push adds a hint that is due and has been admitted.
func (s *shares) push(h wake.Hint) {
	a := s.accounts[h.Account]
	l := a.lanes[h.Host]
	if l == nil {
		l = &lane{account: a, host: h.Host}
		l.self = l
		a.lanes[h.Host] = l
	}
	s.queued[h.Key] = true
	l.ready = append(l.ready, h)
	a.turns.join(&l.turn)
	s.turns.join(&a.turn)
}

// pop takes the hint whose call is to be made next, and counts the call; the lane is nil if no call
// may be made. room reports that the account has had to drop hints and has room again.
func (s *shares) pop() (h wake.Hint, l *lane, room bool) {
	var full []*turn // accounts none of whose hosts may make another call
	for l == nil && s.turns.len() > 0 && s.running < s.limit {
		first := s.turns.first()
		a := first.self.(*account)
		left := s.limit - s.running - a.running // to this account
		if a.name == "" {
			left = s.limit // nobody's calls have no share
		} else if left <= 0 {
			break // the others have as many calls under way, or more
		}
		if next := a.turns.first(); next.running < left {
			l = next.self.(*lane)
		} else {
			full = append(full, s.turns.pop())
		}
	}
	for _, t := range full {
		s.turns.push(t)
	}
	if l == nil {
		return wake.Hint{}, nil, false
	}
	h = l.take()
	delete(s.queued, h.Key)
	a := l.account
	a.hints--
	room = a.dropped && a.hints <= s.most/2
	a.dropped = a.dropped && !room
	s.running++
	s.served++
	a.turns.began(&l.turn, s.served, l.first < len(l.ready))
	s.turns.began(&a.turn, s.served, a.turns.len() > 0)
	return h, l, room
}

// take takes a lane's first hint.
func (l *lane) take() wake.Hint {
	h := l.ready[l.first]
	l.ready[l.first] = wake.Hint{}
	l.first++
	if l.first == len(l.ready) {
		l.ready, l.first = nil, 0
	} else if l.first > 1024 && l.first > len(l.ready)/2 {
		l.ready = append([]wake.Hint(nil), l.ready[l.first:]...)
		l.first = 0
	}
	return h
}

// release ends a call.
func (s *shares) release(l *lane) {
	a := l.account
	s.running--
	a.turns.ended(&l.turn)
	s.turns.ended(&a.turn)
	if l.running == 0 && !l.in() {
		delete(a.lanes, l.host)
	}
	if a.running == 0 && a.hints == 0 {
		delete(s.accounts, a.name)
	}
}

// turn is the place of an account, or of a lane, among its like.
type turn struct {
	place
	self    any // the account or lane
	running int
	served  uint64 // number of its last call
}

// before says who comes next: who has the fewest calls under way, then who was served the longest ago.
func (t *turn) before(other *turn) bool {
	if t.running != other.running {
		return t.running < other.running
	}
	return t.served < other.served
}

// turns are accounts, or lanes, with hints that are due.
type turns struct{ heap[*turn] }

func (t *turns) join(e *turn) {
	if !e.in() {
		t.push(e)
	}
}

// began counts a call; more says that others wait to follow.
func (t *turns) began(e *turn, served uint64, more bool) {
	e.running++
	e.served = served
	if more {
		t.fix(e)
	} else {
		t.remove(e)
	}
}

// ended counts the end of a call.
func (t *turns) ended(e *turn) {
	e.running--
	if e.in() {
		t.fix(e)
	}
}
