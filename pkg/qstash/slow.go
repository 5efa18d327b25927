package qstash

import (
	"context"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

const (
	// slowAfter is how long an attempt lasts before others are told of it.
	slowAfter = 2 * time.Second

	// A message for a crowded host is woken again after parkFirst at least and parkLast at most.
	parkFirst = 5 * time.Second
	parkLast  = 20 * time.Second

	// perProcess is how many wake-ups a process gets at a time.
	perProcess = 10
)

// crowded reports whether so many processes wait for a host, or for all hosts of its account, that the
// rest must be left to others: a third or half of Config.Processes.
func (e *Engine) crowded(hs *hosts, host string) bool {
	return e.processes > 0 && (hs.at(host).slow >= max(1, e.processes/3) || hs.slow >= max(1, e.processes/2))
}

// room is how many messages for a host a sweep wakes: some more than there is room for.
func (e *Engine) room(hs *hosts, host string) int {
	free := min(max(1, e.processes/3)-hs.at(host).slow, max(1, e.processes/2)-hs.slow)
	return max(0, 2*free*perProcess)
}

// watch tells the other processes of an attempt if it takes long. stop must be called when it has ended.
func (e *Engine) watch(ctx context.Context, m *message, timeout time.Duration) (stop func()) {
	if e.processes <= 0 {
		return func() {}
	}
	host := m.rec.host()
	ctx = context.WithoutCancel(ctx)
	told := make(chan struct{})
	timer := time.AfterFunc(slowAfter, func() {
		defer close(told)
		e.tellSlow(ctx, m.acct, host, e.now().Add(timeout))
	})
	return func() {
		if timer.Stop() {
			return
		}
		<-told
		e.tellEnded(ctx, m.acct, host)
	}
}

// tellSlow notes that this process has an attempt that takes long. Several for one host are one: a
// process that waits for one of them waits for all.
func (e *Engine) tellSlow(ctx context.Context, acct, host string, until time.Time) {
	key := part(acct, host)
	e.mu.Lock()
	e.slow[key]++
	first := e.slow[key] == 1
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	_, err := e.store.Apply(ctx, store.Put(slowKey(acct, host, e.owner), store.NewAttrs(
		store.Attr{Name: hostUntil, Value: store.Int(until.UnixMilli())},
		store.Attr{Name: store.TTLAttr, Value: store.Int(until.Add(time.Minute).Unix())}), nil))
	if err == nil && first {
		err = e.announce(ctx, acct)
	}
	if err != nil {
		e.log.WarnContext(ctx, "other processes do not know of a slow destination", "host", host, "error", err)
	}
}

func (e *Engine) tellEnded(ctx context.Context, acct, host string) {
	key := part(acct, host)
	e.mu.Lock()
	e.slow[key]--
	last := e.slow[key] == 0
	if last {
		delete(e.slow, key)
	}
	e.mu.Unlock()
	if !last {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	if _, err := e.store.Apply(ctx, store.Delete(slowKey(acct, host, e.owner), nil)); err != nil {
		e.log.WarnContext(ctx, "other processes take a destination for slow until it would have timed out", "host", host, "error", err)
	}
}

// rooms are how many more messages a sweep of one shard wakes, by host: those in which attempts take long.
type rooms map[string]int

// rooms reads how much room there is for the hosts of an account.
func (e *Engine) rooms(ctx context.Context, acct string) (rooms, error) {
	if e.processes <= 0 {
		return nil, nil
	}
	a, err := e.Account(ctx, acct)
	if err != nil || !a.Trouble.After(e.now()) {
		return nil, err
	}
	hs, err := e.readHosts(ctx, acct)
	if err != nil {
		return nil, err
	}
	r := rooms{}
	for name, t := range hs.byName {
		if t.slow > 0 {
			r[name] = (e.room(hs, name) + shards - 1) / shards
		}
	}
	return r, nil
}

// take takes one place of a host's room. crowded says that attempts for the host take long.
func (r rooms) take(host string) (crowded, full bool) {
	n, crowded := r[host]
	if crowded && n > 0 {
		r[host] = n - 1
	}
	return crowded, crowded && n <= 0
}
