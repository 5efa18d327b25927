package wire

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/access"
)

// Kinds of coordinators.
const (
	ofGroups       = 0
	ofTransactions = 1
)

// firstFindOfMany is the version of FindCoordinator from which on it names several coordinators.
const firstFindOfMany = 4

func (x *exchange) findCoordinator(ctx context.Context, req *kmsg.FindCoordinatorRequest, resp *kmsg.FindCoordinatorResponse) error {
	all := x.brokers(ctx)
	if req.Version < firstFindOfMany {
		one := x.coordinator(all, req.CoordinatorType, req.CoordinatorKey)
		resp.NodeID, resp.Host, resp.Port, resp.ErrorCode, resp.ErrorMessage = one.NodeID, one.Host, one.Port, one.ErrorCode, one.ErrorMessage
		return nil
	}
	for _, key := range req.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, x.coordinator(all, req.CoordinatorType, key))
	}
	return nil
}

func (x *exchange) coordinator(all brokers, kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	out := kmsg.NewFindCoordinatorResponseCoordinator()
	out.Key, out.NodeID, out.Port = key, -1, -1
	switch {
	case kind == ofTransactions:
		// Clients take this as final. Of codes that say "later" they would ask for ever.
		r := x.refuse(kerr.TransactionalIDAuthorizationFailed, "transactions are not supported")
		out.ErrorCode, out.ErrorMessage = r.code, r.text
	case kind != ofGroups:
		out.ErrorCode = kerr.InvalidRequest.Code
	case !x.Claims.Groups.Matches(key):
		x.fail(http.StatusForbidden)
		out.ErrorCode = kerr.GroupAuthorizationFailed.Code
	default:
		b := all.ofGroup(x.Cluster.ID, key)
		out.NodeID, out.Host, out.Port = b.id, b.Host, b.Port
	}
	return out
}

// groupCode is the code of an error of a call about a group.
func (x *exchange) groupCode(err error) int16 {
	code := kafka.CodeOf(err)
	switch {
	case code == 0:
	case code == kafka.CodeCoordinatorNotAvailable:
		x.fail(http.StatusServiceUnavailable)
		if x.Life.Err() == nil {
			x.log.Warn("a request about a group has failed", "key", x.frame.key, "error", err)
		}
	default:
		x.fail(http.StatusConflict)
	}
	return int16(code)
}

// mayUse asks for the permission to use a group. It returns a code, 0 if it may.
func (x *exchange) mayUse(ctx context.Context, group string) int16 {
	err := x.s.gate.MayUseGroup(ctx, x.Grant, group)
	switch {
	case err == nil, kafka.IsKind(err, kafka.Invalid): // the engine says what is wrong with the name
		return 0
	case errors.Is(err, access.ErrForbidden):
		x.fail(http.StatusForbidden)
		return kerr.GroupAuthorizationFailed.Code
	}
	return x.groupCode(err)
}

// consumers is the protocol type of members that read topics.
const consumers = "consumer"

// mayRead reports whether a credential may read all topics that a member subscribes to. Else it could lock
// others out of their group.
func (x *exchange) mayRead(req *kmsg.JoinGroupRequest) bool {
	if req.ProtocolType != consumers {
		return true
	}
	for _, p := range req.Protocols {
		var m kmsg.ConsumerMemberMetadata
		if err := m.ReadFrom(p.Metadata); err != nil {
			continue // of another kind
		}
		if slices.ContainsFunc(m.Topics, func(t string) bool { return !x.Claims.MayConsume(t) }) {
			return false
		}
	}
	return true
}

// firstJoinWithoutProtocol is the version of JoinGroup from which on an answer may name no protocol.
const firstJoinWithoutProtocol = 7

func (x *exchange) joinGroup(ctx context.Context, req *kmsg.JoinGroupRequest, resp *kmsg.JoinGroupResponse) error {
	resp.Generation, resp.MemberID = -1, req.MemberID
	if req.Version < firstJoinWithoutProtocol {
		resp.Protocol = kmsg.StringPtr("")
	}
	if resp.ErrorCode = x.mayUse(ctx, req.Group); resp.ErrorCode != 0 {
		return nil
	}
	if !x.mayRead(req) {
		x.fail(http.StatusForbidden)
		resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return nil
	}
	r := kafka.JoinRequest{
		Group: req.Group, Member: req.MemberID, Instance: text(req.InstanceID),
		ClientID: x.frame.client, ClientHost: x.host(),
		SessionTimeout:   time.Duration(req.SessionTimeoutMillis) * time.Millisecond,
		RebalanceTimeout: time.Duration(max(0, req.RebalanceTimeoutMillis)) * time.Millisecond,
		ProtocolType:     req.ProtocolType, RequireMemberID: req.Version >= 4,
	}
	for _, p := range req.Protocols {
		r.Protocols = append(r.Protocols, kafka.GroupProtocol{Name: p.Name, Metadata: p.Metadata})
	}
	got, err := x.s.engine.JoinGroup(ctx, x.Cluster, r)
	if err != nil {
		if resp.ErrorCode = x.groupCode(err); got.Member != "" {
			resp.MemberID = got.Member
		}
		return x.Life.Err()
	}
	resp.Generation, resp.MemberID, resp.LeaderID = got.Generation, got.Member, got.Leader
	resp.ProtocolType, resp.Protocol = &got.ProtocolType, &got.Protocol
	for _, m := range got.Members {
		one := kmsg.NewJoinGroupResponseMember()
		one.MemberID, one.InstanceID, one.ProtocolMetadata = m.Member, pointer(m.Instance), m.Metadata
		resp.Members = append(resp.Members, one)
	}
	return nil
}

// text is a string that may be null.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// pointer is null for the empty string.
func pointer(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// host is the client's address as it is shown of members.
func (c *conn) host() string {
	host, _, err := net.SplitHostPort(c.Net.RemoteAddr().String())
	if err != nil {
		return "/"
	}
	return "/" + host
}

func (x *exchange) syncGroup(ctx context.Context, req *kmsg.SyncGroupRequest, resp *kmsg.SyncGroupResponse) error {
	resp.MemberAssignment = []byte{}
	if resp.ErrorCode = x.mayUse(ctx, req.Group); resp.ErrorCode != 0 {
		return nil
	}
	r := kafka.SyncRequest{
		MemberRef:    kafka.MemberRef{Group: req.Group, Member: req.MemberID, Instance: text(req.InstanceID), Generation: req.Generation},
		ProtocolType: text(req.ProtocolType), Protocol: text(req.Protocol),
	}
	if len(req.GroupAssignment) > 0 {
		r.Assignments = map[string][]byte{}
	}
	for _, a := range req.GroupAssignment {
		r.Assignments[a.MemberID] = a.MemberAssignment
	}
	got, err := x.s.engine.SyncGroup(ctx, x.Cluster, r)
	if err != nil {
		resp.ErrorCode = x.groupCode(err)
		return x.Life.Err()
	}
	resp.ProtocolType, resp.Protocol = &got.ProtocolType, &got.Protocol
	if got.Assignment != nil {
		resp.MemberAssignment = got.Assignment
	}
	return nil
}

func (x *exchange) heartbeat(ctx context.Context, req *kmsg.HeartbeatRequest, resp *kmsg.HeartbeatResponse) error {
	if resp.ErrorCode = x.mayUse(ctx, req.Group); resp.ErrorCode == 0 {
		m := kafka.MemberRef{Group: req.Group, Member: req.MemberID, Instance: text(req.InstanceID), Generation: req.Generation}
		resp.ErrorCode = x.groupCode(x.s.engine.Heartbeat(ctx, x.Cluster, m))
	}
	return nil
}

// firstLeaveOfMany is the version of LeaveGroup from which on it names several members.
const firstLeaveOfMany = 3

func (x *exchange) leaveGroup(ctx context.Context, req *kmsg.LeaveGroupRequest, resp *kmsg.LeaveGroupResponse) error {
	if resp.ErrorCode = x.mayUse(ctx, req.Group); resp.ErrorCode != 0 {
		return nil
	}
	leavers := []kafka.Leaver{{Member: req.MemberID}}
	if req.Version >= firstLeaveOfMany {
		leavers = leavers[:0]
		for _, m := range req.Members {
			leavers = append(leavers, kafka.Leaver{Member: m.MemberID, Instance: text(m.InstanceID)})
		}
	}
	errs, err := x.s.engine.LeaveGroup(ctx, x.Cluster, req.Group, leavers)
	if resp.ErrorCode = x.groupCode(err); err != nil {
		return nil
	}
	if req.Version < firstLeaveOfMany {
		resp.ErrorCode = x.groupCode(errs[0])
		return nil
	}
	for i, m := range req.Members {
		one := kmsg.NewLeaveGroupResponseMember()
		one.MemberID, one.InstanceID, one.ErrorCode = m.MemberID, m.InstanceID, x.groupCode(errs[i])
		resp.Members = append(resp.Members, one)
	}
	return nil
}

func (x *exchange) offsetCommit(ctx context.Context, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse) error {
	refused := x.mayUse(ctx, req.Group)
	var offsets []kafka.OffsetCommit
	var parts []*kmsg.OffsetCommitResponseTopicPartition
	byID := req.Version >= firstOffsetsByID
	for _, t := range req.Topics {
		if byID {
			found, err := x.topicNamed(ctx, t.TopicID)
			if err != nil {
				return err
			}
			if t.Topic = ""; found != nil {
				t.Topic = found.Name
			}
		}
		out := kmsg.NewOffsetCommitResponseTopic()
		out.Topic, out.TopicID = t.Topic, t.TopicID
		out.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(t.Partitions))
		for i, p := range t.Partitions {
			part := &out.Partitions[i]
			part.Partition, part.ErrorCode = p.Partition, refused
			switch {
			case refused != 0:
			case byID && t.Topic == "":
				part.ErrorCode = kerr.UnknownTopicID.Code
			case !x.Claims.MayConsume(t.Topic):
				part.ErrorCode = kerr.TopicAuthorizationFailed.Code
			default:
				offsets = append(offsets, kafka.OffsetCommit{
					TopicOffset: kafka.TopicOffset{TopicPartition: kafka.TopicPartition{Topic: t.Topic, Partition: int(p.Partition)}, Offset: p.Offset},
					LeaderEpoch: p.LeaderEpoch, Metadata: text(p.Metadata),
				})
				parts = append(parts, part)
			}
		}
		resp.Topics = append(resp.Topics, out)
	}
	if refused != 0 || len(offsets) == 0 {
		return nil
	}
	m := kafka.MemberRef{Group: req.Group, Member: req.MemberID, Instance: text(req.InstanceID), Generation: req.Generation}
	errs, err := x.s.engine.CommitOffsets(ctx, x.Cluster, m, offsets)
	for i, part := range parts {
		if err != nil {
			part.ErrorCode = x.groupCode(err)
			continue
		}
		part.ErrorCode = x.groupCode(errs[i])
	}
	return nil
}

// firstDescribeOfErrors is the version of DescribeGroups from which on it is an error that there is no such group.
const firstDescribeOfErrors = 6

func (x *exchange) describeGroups(ctx context.Context, req *kmsg.DescribeGroupsRequest, resp *kmsg.DescribeGroupsResponse) error {
	for _, name := range req.Groups {
		out := kmsg.NewDescribeGroupsResponseGroup()
		out.Group, out.AuthorizedOperations = name, notAsked
		if req.IncludeAuthorizedOperations {
			out.AuthorizedOperations = mayRead | mayDescribe | mayDelete
		}
		if out.ErrorCode = x.mayUse(ctx, name); out.ErrorCode == 0 {
			out.ErrorCode = x.groupCode(x.describeGroup(ctx, name, &out))
		}
		if out.State == kafka.StateDead && req.Version >= firstDescribeOfErrors {
			r := x.refuse(kerr.GroupIDNotFound, "there is no such group")
			out.ErrorCode, out.ErrorMessage = r.code, r.text
		}
		resp.Groups = append(resp.Groups, out)
	}
	return nil
}

func (x *exchange) describeGroup(ctx context.Context, name string, out *kmsg.DescribeGroupsResponseGroup) error {
	got, err := x.s.engine.DescribeGroups(ctx, x.Cluster, []string{name})
	if err != nil {
		return err
	}
	g := got[0]
	out.State, out.ProtocolType = g.State, g.ProtocolType
	if g.State == kafka.StateReconciling { // clients that ask so know no such state
		out.State = kafka.StatePreparing
	}
	stable := g.State == kafka.StateStable || g.Consumers // only then Kafka tells what its members have agreed on
	if stable {
		out.Protocol = g.Protocol
	}
	for _, m := range g.Members {
		one := kmsg.NewDescribeGroupsResponseGroupMember()
		one.MemberID, one.InstanceID, one.ClientID, one.ClientHost = m.Member, pointer(m.Instance), m.ClientID, m.ClientHost
		if stable {
			one.ProtocolMetadata, one.MemberAssignment = m.Metadata, m.Assignment
		}
		out.Members = append(out.Members, one)
	}
	return nil
}

// Types of groups. Those of the REST API are described as classic ones.
const (
	classicType  = "classic"
	consumerType = "consumer" // of the consumer protocol (KIP-848)
)

// isWanted reports whether a filter, which may be empty, lets a value through.
func isWanted(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
}

func (x *exchange) listGroups(ctx context.Context, req *kmsg.ListGroupsRequest, resp *kmsg.ListGroupsResponse) error {
	groups, err := x.s.engine.ListGroups(ctx, x.Cluster)
	if resp.ErrorCode = x.groupCode(err); err != nil {
		return nil
	}
	for _, g := range groups {
		kind := classicType
		if g.Consumers {
			kind = consumerType
		}
		if !isWanted(req.StatesFilter, g.State) || !isWanted(req.TypesFilter, kind) {
			continue
		}
		err := x.s.gate.MayUseGroup(ctx, x.Grant, g.Name)
		if errors.Is(err, access.ErrForbidden) {
			continue
		}
		if resp.ErrorCode = x.groupCode(err); err != nil {
			resp.Groups = nil
			return nil
		}
		out := kmsg.NewListGroupsResponseGroup()
		out.Group, out.ProtocolType, out.GroupState, out.GroupType = g.Name, g.ProtocolType, g.State, kind
		resp.Groups = append(resp.Groups, out)
	}
	return nil
}

func (x *exchange) deleteGroups(ctx context.Context, req *kmsg.DeleteGroupsRequest, resp *kmsg.DeleteGroupsResponse) error {
	for _, name := range req.Groups {
		out := kmsg.NewDeleteGroupsResponseGroup()
		out.Group = name
		if out.ErrorCode = x.mayUse(ctx, name); out.ErrorCode == 0 {
			out.ErrorCode = x.groupCode(x.s.engine.RemoveGroup(ctx, x.Cluster, name))
		}
		resp.Groups = append(resp.Groups, out)
	}
	return nil
}

func (x *exchange) offsetDelete(ctx context.Context, req *kmsg.OffsetDeleteRequest, resp *kmsg.OffsetDeleteResponse) error {
	if resp.ErrorCode = x.mayUse(ctx, req.Group); resp.ErrorCode != 0 {
		return nil
	}
	var tps []kafka.TopicPartition
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			if x.Claims.MayConsume(t.Topic) {
				tps = append(tps, kafka.TopicPartition{Topic: t.Topic, Partition: int(p.Partition)})
			}
		}
	}
	errs, err := x.s.engine.DeleteOffsets(ctx, x.Cluster, req.Group, tps)
	if resp.ErrorCode = x.groupCode(err); err != nil {
		return nil
	}
	for _, t := range req.Topics {
		out := kmsg.NewOffsetDeleteResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetDeleteResponseTopicPartition()
			part.Partition = p.Partition
			if !x.Claims.MayConsume(t.Topic) {
				part.ErrorCode = kerr.TopicAuthorizationFailed.Code
			} else {
				part.ErrorCode, errs = x.groupCode(errs[0]), errs[1:]
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return nil
}
