package kafkadifferential

import (
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// learn keeps what an answer says of the state of both sides.
func (r *round) learn(req kmsg.Request, resp kmsg.Response) {
	w := r.w
	switch resp := resp.(type) {
	case *kmsg.CreateTopicsResponse:
		for i, t := range resp.Topics {
			asked := req.(*kmsg.CreateTopicsRequest)
			if t.ErrorCode == 0 && !asked.ValidateOnly {
				n := asked.Topics[i].NumPartitions
				if a := len(asked.Topics[i].ReplicaAssignment); a > 0 {
					n = int32(a)
				}
				w.topics[t.Topic] = max(1, n)
			}
		}
	case *kmsg.DeleteTopicsResponse:
		for _, t := range resp.Topics {
			if t.ErrorCode == 0 && t.Topic != nil {
				delete(w.topics, *t.Topic)
				for s := range w.sequences {
					if s.topic == *t.Topic {
						delete(w.sequences, s)
						delete(w.last, s)
					}
				}
			}
		}
	case *kmsg.CreatePartitionsResponse:
		for i, t := range resp.Topics {
			asked := req.(*kmsg.CreatePartitionsRequest)
			if t.ErrorCode == 0 && !asked.ValidateOnly {
				w.topics[t.Topic] = asked.Topics[i].Count
			}
		}
	case *kmsg.ProduceResponse:
		r.learnProduced(req.(*kmsg.ProduceRequest), resp)
	case *kmsg.LeaveGroupResponse:
		r.learnLeft(req.(*kmsg.LeaveGroupRequest), resp)
	}
}

func (r *round) learnProduced(req *kmsg.ProduceRequest, resp *kmsg.ProduceResponse) {
	for i, t := range resp.Topics {
		p := t.Partitions[0]
		if p.ErrorCode != 0 {
			continue
		}
		r.w.unsettled = true
		b := req.Topics[i].Partitions[0].Records
		n := int32(binary.BigEndian.Uint32(b[57:]))
		r.w.produced += int(n)
		if id := int64(binary.BigEndian.Uint64(b[43:])); id >= 0 {
			of := sequence{slices.Index(r.ours.producers, id), t.Topic, p.Partition}
			r.w.sequences[of] = int32(binary.BigEndian.Uint32(b[53:])) + n
			r.w.last[of] = b
		}
	}
}

func (r *round) learnLeft(req *kmsg.LeaveGroupRequest, resp *kmsg.LeaveGroupResponse) {
	g := r.w.groups[req.Group]
	if g == nil || resp.ErrorCode != 0 {
		return
	}
	for i, m := range req.Members {
		if req.Version >= 3 && resp.Members[i].ErrorCode != 0 {
			continue
		}
		n := len(g.members)
		g.members = slices.DeleteFunc(g.members, func(of *member) bool { return r.ours.members[of.id] == m.MemberID })
		if len(g.members) < n {
			g.completing = false // its members have to join again
		}
	}
}
