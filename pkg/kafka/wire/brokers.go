package wire

import (
	"context"
	"hash/fnv"
	"strconv"

	"github.com/skystash/skystash/pkg/kafka"
)

// broker is a gateway as clients are told of it.
type broker struct {
	id int32
	Address
}

// brokers are the gateways that a client can go to. There is one at least: without others, it is the one that it talks to.
type brokers []broker

// brokers are the gateways that have slots, if this one has.
func (x *exchange) brokers(ctx context.Context) brokers {
	alone := brokers{{brokerID, x.advertised}}
	own := x.s.gateway
	if own == nil {
		return alone
	}
	alone[0].id = int32(own.Slot)
	all, err := x.s.engine.Gateways(ctx)
	if err != nil {
		x.log.Warn("a client is told of no other gateways", "error", err)
		return alone
	}
	var out brokers
	for _, g := range all {
		at := g.Plain
		if x.advertised.TLS {
			at = g.TLS
		}
		if g.Slot == own.Slot {
			out = append(out, alone[0]) // as this listener is called
		} else if a, err := AddressOf(at); err == nil {
			a.TLS = x.advertised.TLS
			out = append(out, broker{int32(g.Slot), a})
		}
	}
	if len(out) == 0 {
		return alone
	}
	return out
}

// owner is the gateway where the clients of something are to meet. It stays the same when others come or go (rendezvous hashing).
func (bs brokers) owner(what string) broker {
	best, weight := bs[0], uint64(0)
	for _, b := range bs {
		h := fnv.New64a()
		_, _ = h.Write([]byte(what + "\x00" + strconv.Itoa(int(b.id)))) // never fails
		if w := mix(h.Sum64()); w > weight {
			best, weight = b, w
		}
	}
	return best
}

// mix makes all bits of a hash depend on all others: FNV's upper ones hardly depend on the last byte.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// ofGroup is the coordinator of a group, and ofPartition the leader of a partition.
func (bs brokers) ofGroup(cluster, group string) broker { return bs.owner("g" + cluster + "/" + group) }

func (bs brokers) ofPartition(cluster string, t *kafka.Topic, partition int) broker {
	if len(bs) == 1 {
		return bs[0]
	}
	return bs.owner("p" + cluster + "/" + strconv.FormatInt(t.Number(), 10) + "/" + strconv.Itoa(partition))
}

// has reports whether a broker has a number.
func (bs brokers) has(id string) bool {
	for _, b := range bs {
		if strconv.Itoa(int(b.id)) == id {
			return true
		}
	}
	return false
}

// self is the number of the gateway that answers.
func (x *exchange) self() int32 {
	if g := x.s.gateway; g != nil {
		return int32(g.Slot)
	}
	return brokerID
}
