package kafka

import (
	"errors"
	"fmt"
	"time"
)

// Code is an error code of Kafka's protocol.
type Code int16

// Codes that calls about classic groups return.
const (
	CodeUnknownTopicOrPartition Code = 3
	CodeOffsetMetadataTooLarge  Code = 12
	CodeCoordinatorNotAvailable Code = 15 // the store cannot be reached or is too slow: the client tries again
	CodeNotCoordinator          Code = 16 // the engine is being closed: the client tries another server
	CodeIllegalGeneration       Code = 22
	CodeInconsistentProtocol    Code = 23 // also: the group has instances of the REST API
	CodeInvalidGroupID          Code = 24
	CodeUnknownMember           Code = 25
	CodeInvalidSessionTimeout   Code = 26
	CodeRebalanceInProgress     Code = 27
	CodeInvalidRequest          Code = 42
	CodeNonEmptyGroup           Code = 68
	CodeGroupNotFound           Code = 69
	CodeMemberIDRequired        Code = 79
	CodeGroupMaxSizeReached     Code = 81
	CodeFencedInstance          Code = 82
	CodeGroupSubscribedToTopic  Code = 86
)

// Bounds of classic groups.
const (
	minClassicSession      = 6 * time.Second
	maxClassicSession      = 30 * time.Minute
	maxRebalanceTimeout    = 24 * time.Hour
	maxOffsetMetadataBytes = 4096
	maxMemberMetadataBytes = 64 << 10
	maxClassicMembers      = 1000
)

// GroupError is a refusal of a call about a classic group. Nothing was done.
type GroupError struct {
	Code Code
	Text string
}

func (e *GroupError) Error() string { return fmt.Sprintf("%s (%d)", e.Text, e.Code) }

// CodeOf is the code by which a client is told of an error of these calls: 0 for nil, the code of a
// *GroupError, CodeUnknownTopicOrPartition for one of kind NotFound, CodeInvalidRequest for one of kind
// Invalid, and CodeCoordinatorNotAvailable for all others, which is what failed in the store.
// The server logs the latter.
func CodeOf(err error) Code {
	var refused *GroupError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &refused):
		return refused.Code
	case IsKind(err, NotFound):
		return CodeUnknownTopicOrPartition
	case IsKind(err, Invalid):
		return CodeInvalidRequest
	}
	return CodeCoordinatorNotAvailable
}

func groupError(code Code, format string, args ...any) error {
	return &GroupError{code, fmt.Sprintf(format, args...)}
}

// The server has checked before each call that the credential may use the group (30); it checks topics
// (29) itself. See [Engine.GroupTopics]: it lists the topics of classic members, too, whose metadata is
// of protocol type "consumer".

// GroupProtocol is a protocol (an assignor) that a member supports, with what it says to the leader.
type GroupProtocol struct {
	Name     string
	Metadata []byte
}

// JoinRequest is Kafka's JoinGroup.
type JoinRequest struct {
	Group            string
	Member           string // "": a new one
	Instance         string // of a static member; "": it is dynamic
	ClientID         string
	ClientHost       string
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration // 0: SessionTimeout (version 0)
	ProtocolType     string
	Protocols        []GroupProtocol // in the order of preference
	RequireMemberID  bool            // version 4 and above: a new dynamic member is refused with an id first
}

// JoinResponse is its answer.
type JoinResponse struct {
	Generation   int32
	ProtocolType string
	Protocol     string
	Leader       string
	Member       string         // also with an error of CodeMemberIDRequired: the id to join with
	Members      []JoinedMember // of the leader only
}

// JoinedMember is a member as the leader is told of it.
type JoinedMember struct {
	Member   string
	Instance string
	Metadata []byte // of the protocol chosen
}

// MemberRef says who calls.
type MemberRef struct {
	Group      string
	Member     string
	Instance   string // "": dynamic
	Generation int32
}

// SyncRequest is Kafka's SyncGroup.
type SyncRequest struct {
	MemberRef
	ProtocolType string            // "": not checked (versions below 5)
	Protocol     string            // "": not checked
	Assignments  map[string][]byte // of the leader: by member id
}

// SyncResponse is its answer.
type SyncResponse struct {
	ProtocolType string
	Protocol     string
	Assignment   []byte
}

// Leaver is who leaves: a member, or a static one by its instance alone.
type Leaver struct{ Member, Instance string }

// OffsetCommit is an offset to commit.
type OffsetCommit struct {
	TopicOffset
	LeaderEpoch int32 // -1: none
	Metadata    string
}

// GroupDescription is a group of any kind. A group of the REST API is described as a stable one of
// protocol type "consumer" and protocol "range"; so is one of the consumer protocol, whose protocol is its assignor.
type GroupDescription struct {
	Name         string
	State        string // Empty, PreparingRebalance, CompletingRebalance, Stable, Reconciling, or Dead: there is none
	Consumers    bool   // it is, or was last, one of the consumer protocol
	ProtocolType string
	Protocol     string
	Members      []MemberDescription
}

// MemberDescription is a member of one.
type MemberDescription struct {
	Member, Instance, ClientID, ClientHost string
	Metadata, Assignment                   []byte
}
