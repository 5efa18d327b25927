package qstash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/qstash/breaker"
	"github.com/skystash/skystash/pkg/store"
)

// This file holds back attempts for destination hosts that cannot be reached, and for those that take
// long where others wait. See "Hosts in trouble" in the package's documentation.

// NoAnswer is a Sender's error for a destination that could not be reached, or that has not answered
// in time. Other errors say nothing about the destination.
type NoAnswer struct {
	Reason  string
	Refused bool // nobody listens at its port
}

func (e *NoAnswer) Error() string { return e.Reason }

// Attributes of a host's item, beside attrJSON.
const (
	hostUntil = "u" // ms: when the next probe may be made
	hostPause = "w" // ms: between two probes
)

const (
	// troubleFor is how long an account's record says, at least half of the time, that hosts may be in trouble.
	troubleFor = time.Hour

	// maxHosts bounds the hosts in trouble that are known of one account, and the counts kept in memory.
	maxHosts = 1000
)

// hostNote is what a host's item says beside its state.
type hostNote struct {
	Since time.Time `json:"s"`
	Error string    `json:"e"` // of the last attempt that counted
}

// troubled is a host as it was read.
type troubled struct {
	state breaker.State
	note  hostNote
	slow  int // processes in which attempts take long
}

// hosts are an account's hosts in trouble.
type hosts struct {
	byName map[string]*troubled
	slow   int // processes in which attempts take long, counted once for each host
}

func (h *hosts) at(host string) troubled {
	if t := h.byName[host]; t != nil {
		return *t
	}
	return troubled{}
}

func hostKey(acct, host string) store.Key { return store.Key{Partition: part("h", acct), Sort: host} }

// slowKey is the item that says that attempts for a host take long in one process.
func slowKey(acct, host, owner string) store.Key { return hostKey(acct, part(host, owner)) }

// readHosts reads an account's hosts in trouble, or knows them from less than Config.RecordTTL ago.
func (e *Engine) readHosts(ctx context.Context, acct string) (*hosts, error) {
	if hs, ok := e.troubled.Get(acct); ok {
		return hs, nil
	}
	begun := e.troubled.Begin()
	hs := &hosts{byName: map[string]*troubled{}}
	now := e.now()
	err := e.each(ctx, store.Query{Partition: part("h", acct)}, func(it store.Item) (bool, error) {
		until := time.UnixMilli(it.Attrs.Get(hostUntil).Num())
		name, owner, slow := strings.Cut(it.Key.Sort, "\x00")
		t := hs.byName[name]
		if t == nil {
			t = &troubled{}
		}
		switch {
		case slow && (now.After(until) || owner == e.owner):
			return true, nil // it has died, or is this one
		case slow:
			t.slow++
			hs.slow++
		case now.Sub(until) > troubleFor:
			return true, nil // nothing goes to it any more
		default:
			t.state = breaker.State{Until: until, Pause: time.Duration(it.Attrs.Get(hostPause).Num()) * time.Millisecond}
			if err := json.Unmarshal([]byte(it.Attrs.Get(attrJSON).Str()), &t.note); err != nil {
				return false, fmt.Errorf("reading host %s: %w", name, err)
			}
		}
		hs.byName[name] = t
		return len(hs.byName) < maxHosts, nil
	})
	if err != nil {
		return nil, err
	}
	e.troubled.Put(acct, hs, begun)
	return hs, nil
}

// announce notes in the account's record that hosts are in trouble. Only then they are read.
func (e *Engine) announce(ctx context.Context, acct string) error {
	e.troubled.Forget(acct)
	a, err := e.Account(ctx, acct)
	if err != nil || a.Trouble.Sub(e.now()) > troubleFor/2 {
		return err
	}
	return e.changeAccount(ctx, acct, func(a *Account) { a.Trouble = e.now().Add(troubleFor).UTC() })
}

// holdBack decides whether a message that is due has to wait for its destination. If so, it arranges
// for another wake-up. It is to be asked only if the account has hosts in trouble.
func (e *Engine) holdBack(ctx context.Context, acct, id string) (v breaker.Verdict, err error) {
	hs, err := e.readHosts(ctx, acct)
	if err != nil || len(hs.byName) == 0 {
		return breaker.Pass, err
	}
	m, err := e.readMessage(ctx, acct, id)
	now := e.now()
	if err != nil || m == nil || m.state != stateWaiting || m.at.After(now) {
		return breaker.Pass, err
	}
	host := m.rec.host()
	if e.crowded(hs, host) {
		// Later it is woken by the sweep, when there is room.
		if age := now.Sub(m.at); age < sweepGrace {
			e.wake(ctx, m.hint(now.Add(min(max(age, parkFirst), parkLast))))
		}
		return breaker.Hold, nil
	}
	t := hs.at(host)
	patience := m.at.Add(e.patience(m, now))
	next, v := e.breaker.Admit(t.state, now)
	switch {
	case v == breaker.Hold && now.Before(patience):
		until := t.state.Until
		if patience.Before(until) {
			until = patience
		}
		e.wake(ctx, m.hint(until))
	case v == breaker.Hold:
		return breaker.Pass, nil
	case v == breaker.Probe:
		return e.takeProbe(ctx, m, t, next)
	}
	return v, nil
}

// patience is how long an attempt may be held: no longer than the pause between the message's own attempts. A
// message without retries is to be tried once and at once.
func (e *Engine) patience(m *message, now time.Time) time.Duration {
	retries := m.rec.maxRetries()
	if retries == 0 {
		return 0
	}
	return min(e.breaker.MaxPause, retryDelay(&m.rec.Options, min(m.retried, retries-1), nil, now))
}

// takeProbe makes an attempt the probe, unless another one is faster.
func (e *Engine) takeProbe(ctx context.Context, m *message, t troubled, next breaker.State) (breaker.Verdict, error) {
	_, err := e.store.Apply(ctx, store.Update(hostKey(m.acct, m.rec.host()),
		store.Eq(hostUntil, store.Int(t.state.Until.UnixMilli())),
		store.Set(hostUntil, store.Int(next.Until.UnixMilli()))))
	e.troubled.Forget(m.acct)
	if _, unmet := unmetCondition(err); unmet {
		e.wake(ctx, m.hint(e.now().Add(e.breaker.Pause)))
		return breaker.Hold, nil
	}
	if err != nil {
		return breaker.Hold, fmt.Errorf("probing host %s: %w", m.rec.host(), err)
	}
	return breaker.Probe, nil
}

// observe learns from an attempt about its destination. It costs nothing where all is well.
func (e *Engine) observe(ctx context.Context, m *message, sendErr error) {
	if e.breaker.Failures < 0 {
		return
	}
	host, none := m.rec.host(), (*NoAnswer)(nil)
	var err error
	switch {
	case errors.As(sendErr, &none):
		err = e.unreached(ctx, m, host, none)
	case sendErr == nil:
		err = e.reached(ctx, m, host)
	}
	if err != nil {
		e.log.WarnContext(ctx, "the state of a destination is not noted", "host", host, "error", err)
	}
}

func (e *Engine) reached(ctx context.Context, m *message, host string) error {
	e.mu.Lock()
	delete(e.failing, part(m.acct, host))
	e.mu.Unlock()
	if !m.troubled {
		return nil
	}
	hs, err := e.readHosts(ctx, m.acct)
	if err != nil || !hs.at(host).state.Open() {
		return err
	}
	return e.ReleaseHost(ctx, m.acct, host)
}

func (e *Engine) unreached(ctx context.Context, m *message, host string, why *NoAnswer) error {
	now := e.now()
	if m.probe {
		hs, err := e.readHosts(ctx, m.acct)
		if err != nil || !hs.at(host).state.Open() {
			return err
		}
		t := hs.at(host)
		t.note.Error = why.Reason
		return e.noteHost(ctx, m.acct, host, e.breaker.Failed(t.state, now, true), t.note, store.Exists(hostUntil))
	}
	key := part(m.acct, host)
	e.mu.Lock()
	if len(e.failing) >= maxHosts && e.failing[key] == 0 {
		clear(e.failing)
	}
	s := e.breaker.Failed(breaker.State{Failures: e.failing[key]}, now, false)
	e.failing[key] = s.Failures
	if s.Open() {
		delete(e.failing, key)
	}
	e.mu.Unlock()
	if !s.Open() {
		return nil
	}
	old := now.Add(-troubleFor).UnixMilli()
	err := e.noteHost(ctx, m.acct, host, s, hostNote{Since: now.UTC(), Error: why.Reason},
		store.Or{store.Absent(hostUntil), store.Lt(hostUntil, store.Int(old))})
	if _, unmet := unmetCondition(err); unmet {
		return nil // it is open already
	}
	if err != nil {
		return err
	}
	e.log.WarnContext(ctx, "a destination is not reached: attempts are held", "account", m.acct, "host", host, "reason", why.Reason)
	return e.announce(ctx, m.acct)
}

// noteHost stores the state of a host's breaker.
func (e *Engine) noteHost(ctx context.Context, acct, host string, s breaker.State, note hostNote, cond store.Cond) error {
	text, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("noting host %s: %w", host, err)
	}
	_, err = e.store.Apply(ctx, store.Update(hostKey(acct, host), cond,
		store.Set(hostUntil, store.Int(s.Until.UnixMilli())),
		store.Set(hostPause, store.Int(s.Pause.Milliseconds())),
		store.Set(attrJSON, store.Bytes(string(text))),
		store.Set(store.TTLAttr, store.Int(s.Until.Add(troubleFor).Unix()))))
	e.troubled.Forget(acct)
	if err != nil {
		return fmt.Errorf("noting host %s: %w", host, err)
	}
	return nil
}

// Host is a destination host that attempts are held for. Times and periods are in milliseconds.
type Host struct {
	Name      string `json:"host"`
	Open      bool   `json:"open"`                // the circuit breaker is: attempts are held
	Since     int64  `json:"since,omitempty"`     // when it opened
	NextProbe int64  `json:"nextProbe,omitempty"` // when an attempt is made again
	Pause     int64  `json:"pause,omitempty"`     // between two probes
	Error     string `json:"error,omitempty"`     // of the last probe
	Slow      int    `json:"slow"`                // processes in which attempts take long; 0 where a waker shares attempts out
	Parked    bool   `json:"parked"`              // there are so many of them that others wait
}

// Hosts lists the hosts in trouble, at most 1,000, in order of their names.
func (e *Engine) Hosts(ctx context.Context, acct string) ([]Host, error) {
	e.troubled.Forget(acct)
	hs, err := e.readHosts(ctx, acct)
	if err != nil {
		return nil, err
	}
	list := []Host{}
	for _, name := range slices.Sorted(maps.Keys(hs.byName)) {
		t := hs.byName[name]
		h := Host{Name: name, Open: t.state.Open(), Error: t.note.Error, Slow: t.slow, Parked: e.crowded(hs, name)}
		if h.Open {
			h.Since, h.NextProbe, h.Pause = t.note.Since.UnixMilli(), t.state.Until.UnixMilli(), t.state.Pause.Milliseconds()
		}
		list = append(list, h)
	}
	return list, nil
}

// ReleaseHost closes a host's breaker: attempts are made again, those that are held when they are woken.
func (e *Engine) ReleaseHost(ctx context.Context, acct, host string) error {
	_, err := e.store.Apply(ctx, store.Delete(hostKey(acct, strings.ToLower(host)), store.Exists(hostUntil)))
	e.troubled.Forget(acct)
	if _, unmet := unmetCondition(err); unmet {
		return notFound("no attempts to %s are held", host)
	}
	if err != nil {
		return fmt.Errorf("releasing host %s: %w", host, err)
	}
	e.log.InfoContext(ctx, "attempts to a destination are made again", "account", acct, "host", host)
	return nil
}
