package kafkadifferential

import (
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// exception is a difference that is meant.
type exception struct {
	reason string
	is     func(difference) bool
	// parts says that from then on the sides may differ: the round ends.
	parts bool
}

var exceptions = []exception{
	{
		reason: "kfake says of calls of a member that there is no such group; Kafka knows no such member",
		is: func(d difference) bool {
			return d.is(kmsg.Heartbeat, "ErrorCode", "69", "25") || d.is(kmsg.SyncGroup, "ErrorCode", "69", "25")
		},
	},
	{
		reason: "kfake says of a member that leaves that there is no such group; Kafka knows no such member",
		is: func(d difference) bool {
			return d.is(kmsg.LeaveGroup, "ErrorCode", "69", "25") || d.is(kmsg.LeaveGroup, "ErrorCode", "69", "0")
		},
	},
	{
		reason: "kfake does not say who was refused; Kafka names the member as the request did",
		is:     func(d difference) bool { return d.is(kmsg.JoinGroup, "MemberID", "", d.got) },
	},
	{
		reason: "kfake tells only those settings of a new topic that were asked for; Kafka all",
		is: func(d difference) bool {
			return d.req.Key() == int16(kmsg.CreateTopics) && strings.Contains(d.path, "].Configs[")
		},
	},
	{
		reason: "offsets beside an error are 0 in kfake, -1 in Kafka",
		is: func(d difference) bool {
			return d.is(kmsg.Produce, "BaseOffset", "0", "-1") || d.is(kmsg.DeleteRecords, "LowWatermark", "0", "-1") || d.is(kmsg.Fetch, "HighWatermark", "0", "-1")
		},
	},
	{
		reason: "kfake has no offsets of a group that there is not; in Kafka nothing is committed",
		is: func(d difference) bool {
			return d.is(kmsg.OffsetFetch, "ErrorCode", "69", "0") || d.req.Key() == int16(kmsg.OffsetFetch) && d.req.GetVersion() < 2 && d.want == "" && d.got == "there"
		},
	},
	{
		reason: "the metadata of an offset that was never committed are null in kfake, empty in Kafka",
		is:     func(d difference) bool { return d.is(kmsg.OffsetFetch, "Metadata", "null", "") },
	},
	{
		reason: "Kafka keeps offsets of a group whose name is empty, for consumers of old; we do not",
		is: func(d difference) bool {
			return strings.HasSuffix(d.path, "ErrorCode") && d.got == "24" ||
				(d.req.Key() == int16(kmsg.ListGroups) || d.req.Key() == int16(kmsg.DescribeGroups)) && strings.HasPrefix(d.path, "Groups[]")
		},
	},
	{
		reason: "kfake has no log directory as long as there is nothing to show; Kafka always has one",
		is:     func(d difference) bool { return d.is(kmsg.DescribeLogDirs, "Dirs[]", "", "there") },
	},
	{
		reason: "kfake does not take no topics for all of them, as Kafka does in version 0 of Metadata",
		is: func(d difference) bool {
			return d.req.Key() == int16(kmsg.Metadata) && d.req.GetVersion() == 0 && d.want == "" && d.got == "there"
		},
	},
	{
		reason: "kfake takes any name for a topic; Kafka says which are illegal",
		is: func(d difference) bool {
			return d.req.Key() == int16(kmsg.Metadata) && (d.path == "Topics[]" || d.path == "Topics[no id]") || // it leaves out the empty one
				d.is(kmsg.Metadata, "ErrorCode", "3", "17") || d.is(kmsg.CreateTopics, "ErrorCode", "0", "17") || d.is(kmsg.DescribeConfigs, "ErrorCode", "3", "17")
		},
	},
	{
		reason: "replication factors mean nothing here, and are taken",
		is:     func(d difference) bool { return d.is(kmsg.CreateTopics, "ErrorCode", "38", "0") },
	},
	{
		reason: "of several things that are wrong with a new topic, kfake names another one than Kafka since 3.0; it takes negative numbers, and settings that there are not",
		is: func(d difference) bool {
			return d.req.Key() == int16(kmsg.CreateTopics) && strings.HasSuffix(d.path, "ErrorCode") &&
				slices.Contains([]string{"17", "37", "38", "40", "0"}, d.want) && slices.Contains([]string{"37", "38", "40"}, d.got) ||
				d.is(kmsg.CreateTopics, "ErrorCode", "37", "17") || d.is(kmsg.CreateTopics, "ErrorCode", "38", "17")
		},
	},
	{
		reason: "kfake takes settings that there are not, and values that are none",
		is: func(d difference) bool {
			return d.is(kmsg.AlterConfigs, "ErrorCode", "0", "40") || d.is(kmsg.IncrementalAlterConfigs, "ErrorCode", "0", "40")
		},
	},
	{
		reason: "topics may have names that differ in dots and underscores alone",
		is:     func(d difference) bool { return d.is(kmsg.CreateTopics, "ErrorCode", "17", "0") },
	},
	{
		reason: "kfake deletes offsets of topics that there are not; Kafka knows no such topic",
		is:     func(d difference) bool { return d.is(kmsg.OffsetDelete, "ErrorCode", "0", "3") },
	},
	{
		reason: "kfake has an end of no epoch; Kafka has none",
		is: func(d difference) bool {
			r, ok := d.req.(*kmsg.OffsetForLeaderEpochRequest)
			return ok && r.Topics[0].Partitions[0].LeaderEpoch == -1 && d.got == "-1"
		},
	},
	{
		reason: "kfake says what a partition has when the offset is none of it; Kafka says -1 beside each error",
		is: func(d difference) bool {
			return d.is(kmsg.Fetch, "HighWatermark", d.want, "-1") || d.is(kmsg.Fetch, "LastStableOffset", d.want, "-1") || d.is(kmsg.Fetch, "LogStartOffset", d.want, "-1")
		},
	},
	{
		reason: "messages may have 1 MiB; Kafka's limit is of batches, and has 12 bytes more",
		is:     func(d difference) bool { return d.is(kmsg.DescribeConfigs, "Value", "1048588", "1048576") },
	},
	{
		reason: "kfake tells synonyms of settings to whoever has not asked for them",
		is: func(d difference) bool {
			return d.req.Key() == int16(kmsg.DescribeConfigs) && strings.Contains(d.path, ".ConfigSynonyms[") && d.got == ""
		},
	},
	{
		reason: "kfake refuses to delete what is deleted already; Kafka says where the log begins",
		is:     func(d difference) bool { return d.is(kmsg.DeleteRecords, "ErrorCode", "1", "0") },
	},
	{
		reason: "kfake does not say which id of a topic is unknown",
		is: func(d difference) bool {
			return d.req.Key() == int16(kmsg.DeleteTopics) && (d.path == "Topics[]" || strings.HasPrefix(d.path, "Topics[#") && !strings.Contains(d.path, "]."))
		},
	},
	{
		reason: "kfake takes a batch whose offsets and records do not fit together for corrupt; Kafka the record for invalid",
		is:     func(d difference) bool { return d.is(kmsg.Produce, "ErrorCode", "2", "87") },
	},
	{
		reason: "transactions are refused",
		is:     func(d difference) bool { return d.is(kmsg.FindCoordinator, "ErrorCode", "0", "53") },
	},
	{
		reason: "the first batch of an idempotent producer in an empty partition has the number 0, as in Kafka since 4.0; one behind a batch that has failed is to come again",
		is: func(d difference) bool {
			return d.is(kmsg.Produce, "ErrorCode", "0", "45") || d.is(kmsg.Produce, "ErrorCode", "0", "7")
		},
		parts: true,
	},
	{
		reason: "kfake names a coordinator beside an error; Kafka none",
		is:     func(d difference) bool { return d.is(kmsg.FindCoordinator, "NodeID", "0", "-1") },
	},
	{
		reason: "kfake tells several members that they lead when the leader has left; Kafka one",
		is:     func(d difference) bool { return d.path == "Leaders" && d.got == "1" },
		parts:  true,
	},
	{
		reason: "kfake takes as many partitions as there are for more; Kafka wants more",
		is:     func(d difference) bool { return d.is(kmsg.CreatePartitions, "ErrorCode", "0", "37") },
	},
	{
		reason: "kfake's segment.bytes is another one at first than Kafka's",
		is:     func(d difference) bool { return d.is(kmsg.DescribeConfigs, "Value", "104857600", "1073741824") },
	},
	{
		reason: "a commit with a generation to an empty group is one of an unknown member in Kafka",
		is:     func(d difference) bool { return d.is(kmsg.OffsetCommit, "ErrorCode", "22", "25") },
	},
	{
		reason: "kfake checks the member of a commit before its partitions; brokers say first that they do not know any of these",
		is: func(d difference) bool {
			return slices.Contains([]string{"22", "25", "27"}, d.want) && d.is(kmsg.OffsetCommit, "ErrorCode", d.want, "3")
		},
	},
}

// counts are how often each exception was met.
type counts struct {
	sync.Mutex
	of map[string]int
}

// allow takes out what is meant, and what is beside an error that is meant, in the same element of an array. It counts what it has met.
func allow(diffs []difference, seen *counts) (rest []difference, goOn bool) {
	goOn = true
	var meant []string
	seen.Lock()
	defer seen.Unlock()
	for _, d := range diffs {
		for _, e := range exceptions {
			if e.is(d) {
				seen.of[e.reason]++
				meant = append(meant, d.path)
				if prefix, ok := strings.CutSuffix(d.path, "ErrorCode"); ok {
					meant = append(meant, prefix)
				}
				goOn = goOn && !e.parts
				break
			}
		}
	}
	for _, d := range diffs {
		if !covered(d.path, meant) {
			rest = append(rest, d)
		}
	}
	return rest, goOn
}

// covered reports whether a field is meant, or beside an error that is.
func covered(path string, meant []string) bool {
	for _, m := range meant {
		if strings.HasPrefix(path, m) {
			return true
		}
	}
	return false
}
