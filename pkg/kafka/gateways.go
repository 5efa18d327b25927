package kafka

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Several processes that serve clients of Kafka's protocol over one store may have numbers, slots, and tell each other under
// which names clients reach them. Then the clients of one partition, or of one group, can be told to meet in one process. That
// saves reads, and time, and nothing depends on it: each process serves whoever comes.
//
// All slots are in one item. Who holds a slot writes there until when; who does not renew it in time has lost it.

// Attributes of the item of slots; each ends with the slot's number.
const (
	slotHolder  = "i" // id of the process
	slotUntil   = "u" // Unix ms
	slotAddress = "a" // list: without TLS, with TLS
)

const (
	// MaxSlots bounds the slots' numbers, from 0.
	MaxSlots = 64
	// slotLife is how long a slot is held without being renewed. Clocks may be some seconds apart.
	slotLife = 15 * time.Second
	// slotRenew is how often it is renewed.
	slotRenew = 3 * time.Second
)

var slotsKey = store.Key{Partition: "gateways", Sort: "gateways"}

// Gateway is a process that serves clients of Kafka's protocol under a name of its own.
type Gateway struct {
	Slot  int    // its number, below MaxSlots
	Plain string // host:port of its listener without TLS; "": it has none
	TLS   string // of that with TLS
}

// KeepSlot holds a gateway's slot until the context ends, and then gives it back. While another process has it, it waits for that one's
// end.
func (e *Engine) KeepSlot(ctx context.Context, g Gateway) {
	n := strconv.Itoa(g.Slot)
	me := store.Bytes(e.id)
	tick := time.NewTicker(slotRenew)
	defer tick.Stop()
	held := true
	for {
		now := e.now()
		cond := store.Or{store.Absent(slotHolder + n), store.Eq(slotHolder+n, me), store.Lt(slotUntil+n, store.Int(now.UnixMilli()))}
		_, err := e.store.Apply(ctx, store.Update(slotsKey, cond, store.Set(slotHolder+n, me),
			store.Set(slotUntil+n, store.Int(now.Add(slotLife).UnixMilli())), store.Set(slotAddress+n, store.List([]string{g.Plain, g.TLS}))))
		if err != nil && ctx.Err() == nil && held {
			e.log.WarnContext(ctx, "the slot of this gateway is not held", "slot", g.Slot, "error", err)
		}
		held = err == nil
		select {
		case <-ctx.Done():
			e.leaveSlot(context.WithoutCancel(ctx), n)
			return
		case <-tick.C:
		}
	}
}

// leaveSlot gives a slot back.
func (e *Engine) leaveSlot(ctx context.Context, n string) {
	ctx, cancel := context.WithTimeout(ctx, slotRenew)
	defer cancel()
	_, err := e.store.Apply(ctx, store.Update(slotsKey, store.Eq(slotHolder+n, store.Bytes(e.id)),
		store.Remove(slotHolder+n), store.Remove(slotUntil+n), store.Remove(slotAddress+n)))
	if _, ok := unmet(err); err != nil && !ok {
		e.log.WarnContext(ctx, "a slot was not given back: others name this gateway for some seconds more", "slot", n, "error", err)
	}
}

// Gateways are those that hold slots, by number. The list may be RecordTTL old.
func (e *Engine) Gateways(ctx context.Context) (out []Gateway, err error) {
	attrs, err := e.record(ctx, slotsKey)
	if err != nil {
		return nil, fmt.Errorf("reading who the gateways are: %w", err)
	}
	now := e.nowMs()
	for _, attr := range attrs {
		number, ok := strings.CutPrefix(attr.Name, slotUntil)
		if !ok || attr.Value.Num() <= now {
			continue
		}
		slot, err := strconv.Atoi(number)
		addresses := attrs.Get(slotAddress + number).Elems()
		if err != nil || len(addresses) != 2 {
			continue // of a later build
		}
		out = append(out, Gateway{Slot: slot, Plain: addresses[0], TLS: addresses[1]})
	}
	slices.SortFunc(out, func(a, b Gateway) int { return a.Slot - b.Slot })
	return out, nil
}
