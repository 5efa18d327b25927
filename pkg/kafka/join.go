package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Who changes a group's members rewrites the group's state. If each of a hundred instances that
// join at once did so, ninety-nine writes would fail each time. So one of them leads: it takes in
// all instances that ask meanwhile, with one write. The others leave a request and wait.
//
//  1. An instance tries to take the group's lease. If it gets the lease, it leads.
//  2. Otherwise it puts its request into an item of its own, and counts it in the lease's item.
//  3. The leader reads the requests, writes the state, and deletes the requests. It does so again
//     until no request was counted meanwhile, and then gives the lease back.
//  4. Who waits looks at its request. If the request has gone, it is dealt with. If nobody has the
//     lease, or the same leader has it for long, the instance leads itself.
//
// The lease only saves writes. A state is written on the condition that it is as the leader read
// it, so two leaders do no harm. An instance whose request has gone looks at the state again and
// asks once more if need be.

const (
	requestKind = "j" // with the instance's name: sort key of its request
	leaseSort   = "k"
)

// Attributes of a request.
const (
	requestID      = "i"
	requestMember  = "m" // JSON of the member to be; none: the instance leaves
	requestAt      = "t" // Unix ms
	requestRefused = "r" // why the instance is not taken in; the instance deletes the request
)

// Attributes of a lease.
const (
	leaseOwner  = "o" // none: it is free
	leaseWanted = "n" // requests so far
)

const (
	// requestLife is how long a request counts, in ms. An instance that died while it waited shall
	// not be taken in.
	requestLife = 60 * 1000
	// maxLooks is how often a leader may be seen at work before it is taken for dead. Because of the
	// growing pauses between looks, that is two seconds or more.
	maxLooks = 8
	// maxRounds bounds how often a leader takes in others before it goes about its own business.
	maxRounds = 8
	// leadFor bounds the time of a leader. It is not cut off when its client goes away.
	leadFor = 10 * time.Second
)

func requestKey(cluster, group, instance string) store.Key {
	return store.Key{Partition: groupKey(cluster, group).Partition, Sort: requestKind + instance}
}

func leaseKey(cluster, group string) store.Key {
	return store.Key{Partition: groupKey(cluster, group).Partition, Sort: leaseSort}
}

// request is what an instance asks of its group: to be a member, or to be none.
type request struct {
	instance string
	id       string
	at       int64   // Unix ms
	member   *member // without ID; nil: it leaves
	refused  string
}

func (r request) attrs() store.Attrs {
	attrs := store.NewAttrs(
		store.Attr{Name: requestID, Value: store.Bytes(r.id)},
		store.Attr{Name: requestAt, Value: store.Int(r.at)},
		store.Attr{Name: store.TTLAttr, Value: store.Int((r.at+requestLife)/1000 + reclaimGrace)})
	if r.member != nil {
		text, err := json.Marshal(r.member)
		if err != nil {
			panic(err) // it is made of strings and numbers
		}
		attrs = attrs.With(requestMember, store.Bytes(string(text)))
	}
	if r.refused != "" {
		attrs = attrs.With(requestRefused, store.Bytes(r.refused))
	}
	return attrs
}

func requestOf(it store.Item) (request, error) {
	r := request{
		instance: it.Key.Sort[len(requestKind):], id: it.Attrs.Get(requestID).Str(),
		at: it.Attrs.Get(requestAt).Num(), refused: it.Attrs.Get(requestRefused).Str(),
	}
	if text := it.Attrs.Get(requestMember).Str(); text != "" {
		r.member = &member{}
		if err := json.Unmarshal([]byte(text), r.member); err != nil {
			return r, fmt.Errorf("reading the request of %q: %w", r.instance, err)
		}
	}
	return r, nil
}

// ask has a request dealt with, by this call or another one. Afterwards the caller has to look at
// the group: a newer request of the instance may have come in between. The error is of kind
// Invalid if the group does not take the instance in.
func (e *Engine) ask(ctx context.Context, c *Cluster, group string, r request) error {
	r.id, r.at = writeID(), e.nowMs()
	key := requestKey(c.ID, group, r.instance)
	l := &leader{e: e, c: c, group: group, own: r}
	// First without a request of its own: whoever comes alone leads at once.
	if leads, err := l.take(ctx, 0); leads || err != nil {
		return l.lead(ctx, err)
	}
	news, stop := e.notifier.watch([]string{key.Partition})
	defer stop()
	put := store.Put(key, r.attrs(), nil)
	if err := e.repeat(ctx, func() error { _, err := e.store.Apply(ctx, put); return err }); err != nil {
		return fmt.Errorf("asking group %s: %w", group, err)
	}
	if leads, err := l.take(ctx, 1); leads || err != nil {
		return l.lead(ctx, err)
	}
	looks := e.wakened(news).Begin()
	other, seen := "", 0
	for {
		if err := looks.Wait(ctx, errRetry); err != nil {
			return fmt.Errorf("asking group %s: %w", group, err)
		}
		items, err := e.store.GetMany(ctx, []store.Key{key, leaseKey(c.ID, group)}, false)
		if err != nil {
			return fmt.Errorf("asking group %s: %w", group, err)
		}
		if items[0].Get(requestID).Str() != r.id {
			return nil
		}
		if text := items[0].Get(requestRefused).Str(); text != "" {
			return errors.Join(refuse(Invalid, "%s", text), e.store.Load(ctx, nil, []store.Key{key}))
		}
		leads := false
		switch owner := items[1].Get(leaseOwner).Str(); {
		case owner == "":
			leads, err = l.take(ctx, 0)
		case owner != other:
			other, seen = owner, 1
		case seen < maxLooks:
			seen++
		default:
			leads, err = l.takeFrom(ctx, other)
		}
		if leads || err != nil {
			return l.lead(ctx, err)
		}
	}
}

// wakened is the engine's retry policy, but that news end a pause.
func (e *Engine) wakened(news <-chan struct{}) store.Retry {
	policy := e.retry
	if policy.Sleep != nil {
		return policy
	}
	policy.Sleep = func(ctx context.Context, d time.Duration) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		case <-timer.C:
		}
		return nil
	}
	return policy
}

// leader is who takes instances into a group, and takes them out.
type leader struct {
	e      *Engine
	c      *Cluster
	group  string
	own    request // which may have an item or not
	id     string  // as the lease's owner
	wanted int64   // requests counted when it was looked last
}

// take takes the lease if it is free, and counts requests. It reports whether it was.
func (l *leader) take(ctx context.Context, requests int64) (bool, error) {
	if l.id == "" {
		l.id = writeID()
	}
	old, err := l.e.store.Apply(ctx, store.Update(leaseKey(l.c.ID, l.group), nil,
		store.Default(leaseOwner, store.Bytes(l.id)),
		store.Add(leaseWanted, leaseWanted, requests),
		store.Set(store.TTLAttr, store.Int(l.e.nowMs()/1000+leaseKept))))
	if errors.Is(err, store.ErrUnknownOutcome) {
		return false, nil // if it is ours, the next take finds that out
	}
	if err != nil {
		return false, fmt.Errorf("asking group %s: %w", l.group, err)
	}
	l.wanted = old.Get(leaseWanted).Num() + requests
	return !old.Has(leaseOwner) || old.Get(leaseOwner).Str() == l.id, nil
}

// leaseKept is how long the item of a lease is kept after it was used, in seconds.
const leaseKept = 24 * 60 * 60

// takeFrom takes the lease from a leader that is taken for dead.
func (l *leader) takeFrom(ctx context.Context, other string) (bool, error) {
	old, err := l.e.store.Apply(ctx, store.Update(leaseKey(l.c.ID, l.group),
		store.Eq(leaseOwner, store.Bytes(other)), store.Set(leaseOwner, store.Bytes(l.id))))
	if _, ok := unmet(err); ok || errors.Is(err, store.ErrUnknownOutcome) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking group %s: %w", l.group, err)
	}
	l.wanted = old.Get(leaseWanted).Num()
	return true, nil
}

// lead deals with all requests and gives the lease back, unless the lease could not be taken.
func (l *leader) lead(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leadFor)
	defer cancel()
	key := leaseKey(l.c.ID, l.group)
	defer l.e.notifier.notify(key.Partition)
	refusal := l.takeIn(ctx)
	gather := l.e.retry.Begin()
	for round, err := 1, refusal; ; round++ {
		cond := store.And{store.Eq(leaseOwner, store.Bytes(l.id))}
		if (err == nil || IsKind(err, Invalid)) && round < maxRounds {
			cond = append(cond, store.Eq(leaseWanted, store.Int(l.wanted)))
		}
		_, released := l.e.store.Apply(ctx, store.Update(key, cond, store.Remove(leaseOwner)))
		l.e.notifier.notify(key.Partition)
		ce, more := unmet(released)
		if released != nil && !more {
			l.e.log.WarnContext(ctx, "a group's lease was not given back", "group", l.group, "error", released)
		}
		if !more || ce.Old.Get(leaseOwner).Str() != l.id {
			return refusal
		}
		l.wanted = ce.Old.Get(leaseWanted).Num()
		if gather.Wait(ctx, errRetry) == nil {
			err = l.takeIn(ctx)
		}
		if err != nil && !IsKind(err, Invalid) {
			l.e.log.WarnContext(ctx, "instances were not taken into their group", "group", l.group, "error", err)
		}
	}
}

// takeIn deals with the requests that there are. The error is of kind Invalid if the leader's own
// request is refused; the others are dealt with all the same.
func (l *leader) takeIn(ctx context.Context) error {
	fenced := false
	var refusal string
	err := l.e.retry.Do(ctx, func(ctx context.Context) (err error) {
		refusal, err = l.rebalance(ctx, fenced)
		fenced = true
		return err
	})
	if err == nil && refusal != "" {
		return refuse(Invalid, "%s", refusal)
	}
	if err != nil {
		return fmt.Errorf("changing the members of group %s: %w", l.group, err)
	}
	return nil
}

// rebalance reads the requests and writes the group once. With fenced, it first raises the
// generation: members that move on all the time would be faster each time otherwise, and now have
// to read the group first.
func (l *leader) rebalance(ctx context.Context, fenced bool) (refusal string, err error) {
	g, requests, err := l.read(ctx, fenced)
	if err != nil {
		return "", err
	}
	now := l.e.nowMs()
	var done []store.Key
	open := map[string]request{}
	for _, r := range requests {
		switch {
		case r.refused != "":
		case r.at < now-requestLife:
			done = append(done, requestKey(l.c.ID, l.group, r.instance))
		default:
			open[r.instance] = r
			done = append(done, requestKey(l.c.ID, l.group, r.instance))
		}
	}
	if _, ok := open[l.own.instance]; !ok {
		open[l.own.instance] = l.own
	}
	refused, err := l.e.rebalance(ctx, l.c, g, open)
	if err != nil {
		return "", err
	}
	var told []store.Item
	for name, text := range refused {
		r := open[name]
		if r.id == l.own.id {
			refusal = text
			continue
		}
		r.refused = text
		key := requestKey(l.c.ID, l.group, name)
		told = append(told, store.Item{Key: key, Attrs: r.attrs()})
		done = slices.DeleteFunc(done, func(k store.Key) bool { return k == key })
	}
	if len(told)+len(done) > 0 {
		if err := l.e.store.Load(ctx, told, done); err != nil {
			return refusal, fmt.Errorf("answering requests: %w", err)
		}
	}
	return refusal, nil
}

// read reads the group and the requests.
func (l *leader) read(ctx context.Context, fenced bool) (*groupState, []request, error) {
	key := groupKey(l.c.ID, l.group)
	q := store.Query{Partition: key.Partition, To: leaseSort}
	var state store.Attrs
	if fenced {
		edits := []store.Edit{store.Add(attrGeneration, attrGeneration, 1), store.Set(attrVersion, store.Bytes(writeID()))}
		old, err := l.e.store.Apply(ctx, store.Update(key, store.Exists(attrVersion), edits...))
		if _, ok := unmet(err); err != nil && !ok {
			if errors.Is(err, store.ErrUnknownOutcome) {
				return nil, nil, errRetry
			}
			return nil, nil, err
		} else if !ok {
			state, _ = store.ApplyEdits(old, edits)
		}
		q.From = requestKind
	}
	items, err := l.e.queryAll(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	var requests []request
	for _, it := range items {
		if it.Key == key {
			state = it.Attrs
			continue
		}
		r, err := requestOf(it)
		if err != nil {
			return nil, nil, err
		}
		requests = append(requests, r)
	}
	g, err := groupOf(l.c.ID, l.group, state)
	return g, requests, err
}
