package wire

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
)

// setting is a topic's setting, as Kafka 2.8 has it.
type setting struct {
	kind    kmsg.ConfigType
	initial string
	legal   func(string) bool // besides being of the kind; nil: everything

	// get and set are the value in a topic's options. nil: the value is kept for clients alone. A get that returns ""
	// means the initial value.
	get func(*kafka.TopicOptions) string
	set func(o *kafka.TopicOptions, value string) error
}

func atLeast(least int64) func(string) bool {
	return func(s string) bool {
		n, err := strconv.ParseInt(s, 10, 64)
		return err == nil && n >= least
	}
}

func oneOf(values ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(values, s) }
}

func fraction(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && f >= 0 && f <= 1
}

const forever = "9223372036854775807"

// settings are all settings of topics.
var settings = map[string]setting{
	"cleanup.policy": {
		kind: kmsg.ConfigTypeList, initial: "delete",
		get: (*kafka.TopicOptions).CleanupPolicy,
		set: (*kafka.TopicOptions).SetCleanupPolicy,
	},
	"retention.ms":      {kind: kmsg.ConfigTypeLong, initial: strconv.FormatInt(kafka.DefaultRetention.Milliseconds(), 10), legal: atLeast(-1), get: retention, set: setRetention},
	"retention.bytes":   {kind: kmsg.ConfigTypeLong, initial: "-1", legal: atLeast(-1), get: retentionBytes, set: setRetentionBytes},
	"max.message.bytes": {kind: kmsg.ConfigTypeInt, initial: strconv.Itoa(kafka.DefaultMaxMessageBytes), legal: upTo(kafka.MaxMessageBytes), get: maxMessage, set: setMaxMessage},

	"compression.type":                        {kind: kmsg.ConfigTypeString, initial: "producer", legal: oneOf("producer", "uncompressed", "gzip", "snappy", "lz4", "zstd")},
	"delete.retention.ms":                     {kind: kmsg.ConfigTypeLong, initial: "86400000", legal: atLeast(0)},
	"file.delete.delay.ms":                    {kind: kmsg.ConfigTypeLong, initial: "60000", legal: atLeast(0)},
	"flush.messages":                          {kind: kmsg.ConfigTypeLong, initial: forever, legal: atLeast(1)},
	"flush.ms":                                {kind: kmsg.ConfigTypeLong, initial: forever, legal: atLeast(0)},
	"follower.replication.throttled.replicas": {kind: kmsg.ConfigTypeList},
	"index.interval.bytes":                    {kind: kmsg.ConfigTypeInt, initial: "4096", legal: atLeast(0)},
	"leader.replication.throttled.replicas":   {kind: kmsg.ConfigTypeList},
	"max.compaction.lag.ms":                   {kind: kmsg.ConfigTypeLong, initial: "604800000", legal: atLeast(1)}, // Kafka: for ever
	"message.downconversion.enable":           {kind: kmsg.ConfigTypeBoolean, initial: "true"},
	"message.format.version":                  {kind: kmsg.ConfigTypeString, initial: "2.8-IV1"},
	"message.timestamp.difference.max.ms":     {kind: kmsg.ConfigTypeLong, initial: forever, legal: atLeast(0)},
	"message.timestamp.type":                  {kind: kmsg.ConfigTypeString, initial: "CreateTime", legal: oneOf("CreateTime")},
	"min.cleanable.dirty.ratio":               {kind: kmsg.ConfigTypeDouble, initial: "0.5", legal: fraction},
	"min.compaction.lag.ms":                   {kind: kmsg.ConfigTypeLong, initial: "0", legal: atLeast(0)},
	"min.insync.replicas":                     {kind: kmsg.ConfigTypeInt, initial: "1", legal: atLeast(1)},
	"preallocate":                             {kind: kmsg.ConfigTypeBoolean, initial: "false"},
	"segment.bytes":                           {kind: kmsg.ConfigTypeInt, initial: "1073741824", legal: atLeast(14)},
	"segment.index.bytes":                     {kind: kmsg.ConfigTypeInt, initial: "10485760", legal: atLeast(0)},
	"segment.jitter.ms":                       {kind: kmsg.ConfigTypeLong, initial: "0", legal: atLeast(0)},
	"segment.ms":                              {kind: kmsg.ConfigTypeLong, initial: "604800000", legal: atLeast(1)},
	"unclean.leader.election.enable":          {kind: kmsg.ConfigTypeBoolean, initial: "false"},
}

// brokerIDSetting is the one of brokerSettings that is each gateway's own.
const brokerIDSetting = "broker.id"

// brokerSettings are those that clients and user interfaces look for. Nobody can change them.
var brokerSettings = map[string]string{
	"advertised.listeners":                     "",
	"auto.create.topics.enable":                "false",
	"background.threads":                       "10",
	brokerIDSetting:                            strconv.Itoa(brokerID),
	"compression.type":                         "producer",
	"default.replication.factor":               "1",
	"delete.topic.enable":                      "true",
	"group.max.session.timeout.ms":             "1800000",
	"group.min.session.timeout.ms":             "6000",
	"inter.broker.protocol.version":            "2.8-IV1",
	"log.cleanup.policy":                       "delete",
	"log.message.format.version":               "2.8-IV1",
	"log.message.timestamp.type":               "CreateTime",
	"log.retention.bytes":                      "-1",
	"log.retention.hours":                      "168",
	"log.retention.ms":                         strconv.FormatInt(kafka.DefaultRetention.Milliseconds(), 10),
	"max.connections":                          strconv.Itoa(maxConnections),
	"message.max.bytes":                        strconv.Itoa(kafka.DefaultMaxMessageBytes),
	"min.insync.replicas":                      "1",
	"num.partitions":                           "1",
	"offsets.retention.minutes":                "10080",
	"offsets.topic.replication.factor":         "1",
	"sasl.enabled.mechanisms":                  "PLAIN,OAUTHBEARER,SCRAM-SHA-256,SCRAM-SHA-512",
	"socket.request.max.bytes":                 strconv.Itoa(largeFrame),
	"transaction.state.log.replication.factor": "1",
	"unclean.leader.election.enable":           "false",
}

func upTo(most int) func(string) bool {
	return func(s string) bool {
		n, err := strconv.Atoi(s)
		return err == nil && n >= 1 && n <= most
	}
}

func retention(o *kafka.TopicOptions) string {
	if o.Retention < 0 {
		return "-1"
	}
	return strconv.FormatInt(o.Retention.Milliseconds(), 10)
}

func setRetention(o *kafka.TopicOptions, value string) error {
	ms, err := strconv.ParseInt(value, 10, 64)
	if ms < 0 || ms > math.MaxInt64/int64(time.Millisecond) {
		o.Retention = -1
		return err
	}
	o.Retention = max(time.Millisecond, time.Duration(ms)*time.Millisecond)
	return err
}

func retentionBytes(o *kafka.TopicOptions) string {
	if o.RetentionBytes == 0 {
		return "-1"
	}
	return strconv.FormatInt(o.RetentionBytes, 10)
}

func setRetentionBytes(o *kafka.TopicOptions, value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case n < 0:
		n = 0 // no limit
	case n == 0:
		n = 1
	}
	o.RetentionBytes = n
	return err
}

func maxMessage(o *kafka.TopicOptions) string { return strconv.Itoa(o.MaxMessageBytes) }

func setMaxMessage(o *kafka.TopicOptions, value string) (err error) {
	o.MaxMessageBytes, err = strconv.Atoi(value)
	return err
}

// maxSetting bounds a value, in bytes.
const maxSetting = 1024

// check says what is wrong with a value.
func (s *setting) check(name, value string) error {
	ok := (s.legal == nil || s.legal(value)) && len(value) <= maxSetting && !strings.ContainsAny(value, "\r\n")
	switch s.kind {
	case kmsg.ConfigTypeBoolean:
		ok = ok && (value == "true" || value == "false")
	case kmsg.ConfigTypeInt:
		_, err := strconv.ParseInt(value, 10, 32)
		ok = ok && err == nil
	}
	if !ok {
		return fmt.Errorf("invalid value %q for configuration %s", value, name)
	}
	return nil
}

// apply gives a topic a setting; nil: its initial value. The error is for the client.
func applySetting(o *kafka.TopicOptions, name string, value *string) error {
	s, ok := settings[name]
	if !ok {
		return fmt.Errorf("unknown topic configuration %q", name)
	}
	initial := value == nil
	if initial {
		value = &s.initial
	} else if err := s.check(name, *value); err != nil {
		return err
	}
	if s.set != nil {
		if err := s.set(o, *value); err != nil {
			return fmt.Errorf("invalid value %q for configuration %s", *value, name)
		}
		return nil
	}
	if initial {
		value = nil
	}
	o.SetSetting(name, value)
	return nil
}

// valueOf is a topic's setting, and whether it is not the initial one.
func valueOf(o *kafka.TopicOptions, name string) (value string, own bool) {
	s := settings[name]
	if s.get != nil {
		value = s.get(o)
		return value, value != s.initial
	}
	if value, own = o.Setting(name); own {
		return value, true
	}
	return s.initial, false
}

// editList appends values to a list, or takes them out.
func editList(list, values string, add bool) string {
	var out []string
	for v := range strings.SplitSeq(list, ",") {
		if v = strings.TrimSpace(v); v != "" && !(slices.Contains(strings.Split(values, ","), v)) {
			out = append(out, v)
		}
	}
	if add {
		out = append(out, values)
	}
	return strings.Join(out, ",")
}
