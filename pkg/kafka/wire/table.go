package wire

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Keys of requests.
const (
	keyProduce              = 0
	keyFetch                = 1
	keyListOffsets          = 2
	keyMetadata             = 3
	keyOffsetCommit         = 8
	keyOffsetFetch          = 9
	keyFindCoordinator      = 10
	keyJoinGroup            = 11
	keyHeartbeat            = 12
	keyLeaveGroup           = 13
	keySyncGroup            = 14
	keyDescribeGroups       = 15
	keyListGroups           = 16
	keySASLHandshake        = 17
	keyAPIVersions          = 18
	keyInitProducerID       = 22
	keyCreateTopics         = 19
	keyDeleteTopics         = 20
	keyDeleteRecords        = 21
	keyOffsetForLeaderEpoch = 23
	keyDescribeACLs         = 29
	keyCreateACLs           = 30
	keyDeleteACLs           = 31
	keyDescribeConfigs      = 32
	keyAlterConfigs         = 33
	keyDescribeLogDirs      = 35
	keySASLAuthenticate     = 36
	keyCreatePartitions     = 37
	keyDeleteGroups         = 42
	keyIncrementalConfigs   = 44
	keyOffsetDelete         = 47
	keyDescribeCluster      = 60
	keyConsumerHeartbeat    = 68
	keyDescribeConsumers    = 69
)

// who may make a request. What it may do with single topics and groups, its handler asks.
type who uint8

const (
	anybody  who = iota // also before authentication
	anyGrant            // whoever has authenticated
	producer            // who may produce to any topic
)

// api is a kind of request.
type api struct {
	key      int16
	min, max int16 // versions
	who      who
	serve    func(*exchange, context.Context) (kmsg.Response, error)

	// maxFrame bounds the request's bytes; 0: smallFrame. weigh says how many bytes decoding one takes;
	// nil: hostileFactor for each byte.
	maxFrame int
	weigh    func(body []byte, version int16, flexible bool) (int, error)
	class    string        // of meter; "": ClassAdmin
	wait     time.Duration // bounds what it takes; 0: requestTime
	beats    bool          // idle clients send it all the time
	queued   bool          // it waits for others, or for much data: the next requests are read meanwhile, and the client's leaving is noticed
}

// apis are the requests that are served. Versions are those of Kafka 2.8, and later ones that ask for nothing that there is not. Produce is offered from 0 on, although 0 to 2 are
// refused: librdkafka takes compression for unsupported otherwise. So it is with SaslHandshake and SASL.
func apis() []api {
	return []api{
		{key: keyProduce, min: 0, max: 12, who: anyGrant, serve: serve((*exchange).produce), maxFrame: largeFrame, weigh: weighProduce, class: classProduce, queued: true},
		{key: keyFetch, min: 4, max: 12, who: anyGrant, serve: serve((*exchange).fetch), class: classFetch, queued: true},
		{key: keyListOffsets, min: 1, max: 6, who: anyGrant, serve: serve((*exchange).listOffsets)},
		{key: keyMetadata, min: 0, max: 13, who: anyGrant, serve: serve((*exchange).metadata)},
		{key: keyOffsetCommit, min: 2, max: 10, who: anyGrant, serve: serve((*exchange).offsetCommit)},
		{key: keyOffsetFetch, min: 1, max: 10, who: anyGrant, serve: serve((*exchange).offsetFetch)},
		{key: keyFindCoordinator, min: 0, max: 6, who: anyGrant, serve: serve((*exchange).findCoordinator)},
		{key: keyJoinGroup, min: 0, max: 9, who: anyGrant, serve: serve((*exchange).joinGroup), maxFrame: groupFrame, weigh: weighJoinGroup, wait: joinTime, queued: true},
		{key: keyHeartbeat, min: 0, max: 4, who: anyGrant, serve: serve((*exchange).heartbeat), beats: true},
		{key: keyLeaveGroup, min: 0, max: 5, who: anyGrant, serve: serve((*exchange).leaveGroup)},
		{key: keySyncGroup, min: 0, max: 5, who: anyGrant, serve: serve((*exchange).syncGroup), maxFrame: groupFrame, weigh: weighSyncGroup, wait: joinTime, queued: true},
		{key: keyDescribeGroups, min: 0, max: 6, who: anyGrant, serve: serve((*exchange).describeGroups)},
		{key: keyListGroups, min: 0, max: 5, who: anyGrant, serve: serve((*exchange).listGroups)},
		{key: keySASLHandshake, min: 0, max: 1, who: anybody, serve: serve((*exchange).saslHandshake)},
		{key: keyAPIVersions, min: 0, max: 4, who: anybody, serve: serve((*exchange).apiVersions)},
		{key: keyCreateTopics, min: 0, max: 7, who: anyGrant, serve: serve((*exchange).createTopics)},
		{key: keyDeleteTopics, min: 0, max: 6, who: anyGrant, serve: serve((*exchange).deleteTopics)},
		{key: keyDeleteRecords, min: 0, max: 2, who: anyGrant, serve: serve((*exchange).deleteRecords)},
		{key: keyInitProducerID, min: 0, max: 5, who: producer, serve: serve((*exchange).initProducerID)},
		{key: keyOffsetForLeaderEpoch, min: 2, max: 4, who: anyGrant, serve: serve((*exchange).offsetForLeaderEpoch)},
		{key: keyDescribeACLs, min: 0, max: 2, who: anyGrant, serve: serve((*exchange).describeACLs)},
		{key: keyCreateACLs, min: 0, max: 2, who: anyGrant, serve: serve((*exchange).createACLs)},
		{key: keyDeleteACLs, min: 0, max: 2, who: anyGrant, serve: serve((*exchange).deleteACLs)},
		{key: keyDescribeConfigs, min: 0, max: 4, who: anyGrant, serve: serve((*exchange).describeConfigs)},
		{key: keyAlterConfigs, min: 0, max: 2, who: anyGrant, serve: serve((*exchange).alterConfigs)},
		{key: keyDescribeLogDirs, min: 0, max: 4, who: anyGrant, serve: serve((*exchange).describeLogDirs)},
		{key: keySASLAuthenticate, min: 0, max: 2, who: anybody, serve: serve((*exchange).saslAuthenticate)},
		{key: keyCreatePartitions, min: 0, max: 3, who: anyGrant, serve: serve((*exchange).createPartitions)},
		{key: keyDeleteGroups, min: 0, max: 2, who: anyGrant, serve: serve((*exchange).deleteGroups)},
		{key: keyIncrementalConfigs, min: 0, max: 1, who: anyGrant, serve: serve((*exchange).incrementalAlterConfigs)},
		{key: keyOffsetDelete, min: 0, max: 0, who: anyGrant, serve: serve((*exchange).offsetDelete)},
		{key: keyDescribeCluster, min: 0, max: 2, who: anyGrant, serve: serve((*exchange).describeCluster)},
		{key: keyConsumerHeartbeat, min: 0, max: 1, who: anyGrant, serve: serve((*exchange).consumerHeartbeat), beats: true},
		{key: keyDescribeConsumers, min: 0, max: 1, who: anyGrant, serve: serve((*exchange).describeConsumers)},
	}
}

// serve makes a handler of one that knows what the request and its answer are.
func serve[Req kmsg.Request, Resp kmsg.Response](f func(*exchange, context.Context, Req, Resp) error) func(*exchange, context.Context) (kmsg.Response, error) {
	return func(x *exchange, ctx context.Context) (kmsg.Response, error) {
		resp := x.req.ResponseKind()
		err := f(x, ctx, x.req.(Req), resp.(Resp))
		return resp, err
	}
}

// maxKey bounds the keys of requests that there are.
const maxKey = 128

// byKey finds the table's row of a key; nil: there is none.
func (s *Server) byKey(key int16) *api {
	if key < 0 || key >= maxKey {
		return nil
	}
	return s.table[key]
}
