package kafkadifferential

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionTime is longer than a round takes: no member dies of it.
const sessionTime = 300_000

func (d *draw) findCoordinator() kmsg.Request {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey = d.group()
	req.CoordinatorKeys = []string{req.CoordinatorKey}
	req.CoordinatorType = pick[int8](d, 0, 0, 0, 1, 5)
	return req
}

func joinOf(name, protocolType, protocol, metadata string) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = name, sessionTime, sessionTime, protocolType
	if protocol != "" {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = protocol, []byte(metadata)
		req.Protocols = append(req.Protocols, p)
	}
	return req
}

// joinWrong is a JoinGroup that is refused.
func (d *draw) joinWrong() kmsg.Request {
	name := d.group()
	req := joinOf(name, protocolType, protocolName, "")
	n := d.IntN(5)
	if d.groups[name] == nil {
		n = 0 // kfake gives a group without members the type of one that it refuses for another reason
	}
	switch n {
	case 0:
		req.SessionTimeoutMillis = pick[int32](d, 0, -1, 5999, 1<<30)
	case 1:
		req.MemberID = stranger
	case 2:
		req.Protocols = nil
	case 3:
		req.ProtocolType = ""
	case 4: // known to nobody
		req.MemberID, req.InstanceID = stranger, kmsg.StringPtr("i7")
	}
	return req
}

// syncGroup is a SyncGroup of a member that has been told its part, or of a wrong one.
func (d *draw) syncGroup() kmsg.Request {
	name := d.group()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group = name
	req.MemberID, req.InstanceID, req.Generation = d.member(name)
	if g := d.groups[name]; g != nil && g.completing && d.s.isMember(g, req.MemberID) {
		req.MemberID, req.InstanceID = stranger, nil // a member would wait for the leader
	}
	if d.chance(6) {
		req.ProtocolType, req.Protocol = kmsg.StringPtr("other"), kmsg.StringPtr("other")
	}
	return req
}

func (s *side) isMember(g *group, id string) bool {
	for _, m := range g.members {
		if s.members[m.id] == id {
			return true
		}
	}
	return false
}

func (d *draw) heartbeat() kmsg.Request {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group = d.group()
	req.MemberID, req.InstanceID, req.Generation = d.member(req.Group)
	return req
}

func (d *draw) leaveGroup() kmsg.Request {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = d.group()
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.InstanceID, _ = d.member(req.Group)
	req.MemberID = m.MemberID
	req.Members = append(req.Members, m)
	return req
}

func (d *draw) offsetCommit() kmsg.Request {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = d.group()
	req.MemberID, req.InstanceID, req.Generation = d.member(req.Group)
	if req.Generation < 0 {
		req.InstanceID = nil
	}
	for range 1 + d.IntN(2) {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = d.topic()
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = d.partition(t.Topic), int64(d.IntN(20)), pick[int32](d, -1, 0)
		if d.chance(2) {
			p.Metadata = kmsg.StringPtr(fmt.Sprint("meta ", d.IntN(5)))
		}
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
	}
	if len(req.Topics) == 2 && req.Topics[0].Topic == req.Topics[1].Topic {
		req.Topics = req.Topics[:1]
	}
	return req
}

func (d *draw) offsetFetch() kmsg.Request {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = d.group()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = req.Group
	if d.chance(3) {
		req.SetVersion(int16(2 + d.IntN(int(d.versions[int16(kmsg.OffsetFetch)][1])-1)))
		req.Groups = append(req.Groups, g)
		return req // everything
	}
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic = d.topic()
	for p := range max(1, d.topics[t.Topic]) {
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: t.Topic, Partitions: t.Partitions}}
	req.Groups = append(req.Groups, g)
	return req
}

func (d *draw) describeGroups() kmsg.Request {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{d.group()}
	return req
}

func (d *draw) listGroups() kmsg.Request {
	req := kmsg.NewPtrListGroupsRequest()
	if d.chance(2) {
		req.StatesFilter = []string{pick(d, "Stable", "Empty", "PreparingRebalance", "Unknown")}
	}
	return req
}

func (d *draw) deleteGroups() kmsg.Request {
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{d.group()}
	return req
}

func (d *draw) offsetDelete() kmsg.Request {
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = d.group()
	t := kmsg.NewOffsetDeleteRequestTopic()
	t.Topic = d.topic()
	p := kmsg.NewOffsetDeleteRequestTopicPartition()
	p.Partition = d.partition(t.Topic)
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}
