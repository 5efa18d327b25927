package rest

import (
	"bytes"
	"context"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
)

// Defaults of requests.
const (
	defaultReadTimeout    = time.Second
	defaultOffsetsTimeout = 10 * time.Second
	defaultCommitInterval = 5 * time.Second
	defaultSessionTimeout = 2 * time.Minute
	maxCommitInterval     = 30 * time.Minute
)

// Headers that say which answer a client has got last. Clients that send none are taken to have got
// the answer before, as Upstash's are.
const (
	headerAnswer   = "Kafka-Answer"          // of an answer: its name
	headerReceived = "Kafka-Answer-Received" // of a request: the name of the answer received last
)

// place is a partition, perhaps with an offset, in a request or an answer.
type place struct {
	Topic     *string `json:"topic"`
	Partition *int32  `json:"partition"`
	Offset    *int64  `json:"offset"`
}

// offsetAnswer is an offset in an answer.
type offsetAnswer struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
}

// success is the answer to what has none of its own.
type success struct {
	Result string `json:"result"`
	Status int    `json:"status"`
}

var done = success{"Success", 200}

// maxPlaces bounds the partitions that a request names: each of them is looked up, again and again while the request waits.
const maxPlaces = 1000

func checkPlaces(n int) error {
	if n > maxPlaces {
		return refuse(http.StatusRequestEntityTooLarge, "the body names %d partitions, at most %d", n, maxPlaces)
	}
	return nil
}

// partition checks a place that names a partition.
func (x *exchange) partition(p *place) (kafka.TopicPartition, error) {
	switch {
	case p.Topic == nil || *p.Topic == "":
		return kafka.TopicPartition{}, badRequest("topic is missing")
	case p.Partition == nil:
		return kafka.TopicPartition{}, badRequest("partition is missing")
	case *p.Partition < 0:
		return kafka.TopicPartition{}, badRequest("partition %d is negative", *p.Partition)
	}
	return kafka.TopicPartition{Topic: *p.Topic, Partition: int(*p.Partition)}, x.mayConsume(*p.Topic)
}

// offset checks a place that names an offset.
func (x *exchange) offset(p *place) (kafka.TopicOffset, error) {
	tp, err := x.partition(p)
	if err != nil {
		return kafka.TopicOffset{}, err
	}
	if p.Offset == nil {
		return kafka.TopicOffset{}, badRequest("offset is missing")
	}
	return kafka.TopicOffset{TopicPartition: tp, Offset: *p.Offset}, nil
}

// timeout bounds a time that a request wants to wait, in ms.
func (x *exchange) timeout(ms *int64, byDefault time.Duration) (time.Duration, error) {
	switch {
	case ms == nil:
		return min(byDefault, x.h.maxWait), nil
	case *ms < 0:
		return 0, badRequest("timeout %d is negative", *ms)
	case *ms > x.h.maxWait.Milliseconds():
		return x.h.maxWait, nil
	}
	return time.Duration(*ms) * time.Millisecond, nil
}

// queryTimeout is the timeout in the query.
func (x *exchange) queryTimeout(byDefault time.Duration) (time.Duration, error) {
	if !x.query.Has("timeout") {
		return x.timeout(nil, byDefault)
	}
	ms, err := strconv.ParseInt(x.query.Get("timeout"), 10, 64)
	if err != nil {
		return 0, badRequest("timeout %q is no number of milliseconds", x.query.Get("timeout"))
	}
	return x.timeout(&ms, byDefault)
}

func (x *exchange) fetch() (any, error) {
	var in struct {
		place
		Many    []place `json:"topicPartitionOffsets"`
		Timeout *int64  `json:"timeout"`
	}
	if err := x.decode(x.body, &in); err != nil {
		return nil, err
	}
	if in.Topic != nil || in.Partition != nil || in.Offset != nil {
		in.Many = append(in.Many, in.place)
	}
	if err := checkPlaces(len(in.Many)); err != nil {
		return nil, err
	}
	if len(in.Many) == 0 {
		return nil, badRequest("neither topic, partition and offset nor topicPartitionOffsets are given")
	}
	timeout, err := x.timeout(in.Timeout, defaultReadTimeout)
	if err != nil {
		return nil, err
	}
	from := make([]kafka.TopicOffset, len(in.Many))
	for i := range in.Many {
		if from[i], err = x.offset(&in.Many[i]); err != nil {
			return nil, err
		}
	}
	f, err := formOf(x.r.Header)
	if err != nil {
		return nil, err
	}
	got, err := x.h.engine.Fetch(x.ctx, x.cluster, from, timeout)
	x.used.messages = len(got)
	return messages{got, f}, err
}

// consume: /consume/group/instance and /consume/group/instance/topic.
func (x *exchange) consume() (any, error) {
	var topics []string
	var timeout time.Duration
	var err error
	if len(x.path) == 3 {
		topics = []string{x.path[2]}
		timeout, err = x.queryTimeout(defaultReadTimeout)
	} else {
		var in struct {
			Topic   *string  `json:"topic"`
			Topics  []string `json:"topics"`
			Timeout *int64   `json:"timeout"`
		}
		if err := x.decode(x.body, &in); err != nil {
			return nil, err
		}
		topics = in.Topics
		if in.Topic != nil {
			topics = append(topics, *in.Topic)
		}
		if len(topics) == 0 {
			return nil, badRequest("neither topic nor topics are given")
		}
		timeout, err = x.timeout(in.Timeout, defaultReadTimeout)
	}
	if err != nil {
		return nil, err
	}
	options, err := x.instanceOptions()
	if err != nil {
		return nil, err
	}
	if err := x.mayConsume(topics...); err != nil {
		return nil, err
	}
	if err := x.mayUseGroup(x.path[0]); err != nil {
		return nil, err
	}
	f, err := formOf(x.r.Header)
	if err != nil {
		return nil, err
	}
	received, err := hex.DecodeString(x.r.Header.Get(headerReceived))
	if err != nil {
		return nil, badRequest("header %s is no value of header %s", headerReceived, headerAnswer)
	}
	got, err := x.h.engine.Poll(x.ctx, x.cluster, x.path[0], x.path[1], topics, options, string(received), timeout)
	x.used.messages = len(got.Messages)
	if got.ID != "" {
		x.answerID = hex.EncodeToString([]byte(got.ID))
	}
	return messages{got.Messages, f}, err
}

// instanceOptions reads the headers.
func (x *exchange) instanceOptions() (o kafka.InstanceOptions, err error) {
	o = kafka.InstanceOptions{
		AutoCommit: true, AutoCommitInterval: defaultCommitInterval,
		Reset: kafka.ResetLatest, SessionTimeout: defaultSessionTimeout,
	}
	if v := x.r.Header.Get("Kafka-Enable-Auto-Commit"); v != "" {
		switch strings.ToLower(v) {
		case "true":
		case "false":
			o.AutoCommit = false
		default:
			return o, badRequest("header Kafka-Enable-Auto-Commit is neither true nor false")
		}
	}
	if v := x.r.Header.Get("Kafka-Auto-Offset-Reset"); v != "" {
		switch o.Reset = kafka.Reset(strings.ToLower(v)); o.Reset {
		case kafka.ResetEarliest, kafka.ResetLatest, kafka.ResetNone:
		default:
			return o, badRequest("header Kafka-Auto-Offset-Reset is none of earliest, latest and none")
		}
	}
	if err := x.headerTime("Kafka-Auto-Commit-Interval", 0, maxCommitInterval, &o.AutoCommitInterval); err != nil {
		return o, err
	}
	return o, x.headerTime("Kafka-Session-Timeout-Ms", kafka.MinSessionTimeout, kafka.MaxSessionTimeout, &o.SessionTimeout)
}

func (x *exchange) headerTime(name string, least, most time.Duration, to *time.Duration) error {
	v := x.r.Header.Get(name)
	if v == "" {
		return nil
	}
	ms, err := strconv.ParseInt(v, 10, 64)
	if err != nil || ms < least.Milliseconds() || ms > most.Milliseconds() {
		return badRequest("header %s is no number of milliseconds from %d to %d", name, least.Milliseconds(), most.Milliseconds())
	}
	*to = time.Duration(ms) * time.Millisecond
	return nil
}

func (x *exchange) commit() (any, error) {
	var in []place
	if body := bytes.TrimSpace(x.body); len(body) > 0 && string(body) != "null" {
		var err error
		if in, _, err = decodeMany[place](x, body); err != nil {
			return nil, err
		}
	}
	if err := checkPlaces(len(in)); err != nil {
		return nil, err
	}
	offsets := make([]kafka.TopicOffset, len(in))
	for i := range in {
		var err error
		if offsets[i], err = x.offset(&in[i]); err != nil {
			return nil, err
		}
	}
	if err := x.mayUseGroup(x.path[0]); err != nil {
		return nil, err
	}
	return done, x.h.engine.Commit(x.ctx, x.cluster, x.path[0], x.path[1], offsets)
}

// partitions reads the body of /committed and /offsets.
func (x *exchange) partitions() ([]kafka.TopicPartition, error) {
	in, _, err := decodeMany[place](x, x.body)
	if err != nil {
		return nil, err
	}
	if err := checkPlaces(len(in)); err != nil {
		return nil, err
	}
	tps := make([]kafka.TopicPartition, len(in))
	for i := range in {
		if tps[i], err = x.partition(&in[i]); err != nil {
			return nil, err
		}
	}
	return tps, nil
}

func offsetAnswers(offsets []kafka.TopicOffset) []offsetAnswer {
	out := make([]offsetAnswer, len(offsets))
	for i, o := range offsets {
		out[i] = offsetAnswer{o.Topic, o.Partition, o.Offset}
	}
	return out
}

func (x *exchange) committed() (any, error) {
	timeout, err := x.queryTimeout(defaultOffsetsTimeout)
	if err != nil {
		return nil, err
	}
	tps, err := x.partitions()
	if err != nil {
		return nil, err
	}
	if err := x.mayUseGroup(x.path[0]); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(x.ctx, timeout)
	defer cancel()
	offsets, err := x.h.engine.Committed(ctx, x.cluster, x.path[0], tps)
	return offsetAnswers(offsets), err
}

func (x *exchange) offsets() (any, error) {
	timeout, err := x.queryTimeout(defaultOffsetsTimeout)
	if err != nil {
		return nil, err
	}
	var at int64
	switch text := x.path[0]; text {
	case "earliest":
		at = kafka.Earliest
	case "latest":
		at = kafka.Latest
	default:
		if at, err = strconv.ParseInt(text, 10, 64); err != nil || at < 0 {
			return nil, badRequest("%q is neither a time in milliseconds nor earliest nor latest", text)
		}
	}
	tps, err := x.partitions()
	if err != nil {
		return nil, err
	}
	offsets, err := x.h.engine.Offsets(x.ctx, x.cluster, tps, at, timeout)
	return offsetAnswers(offsets), err
}

func (x *exchange) topics() (any, error) {
	topics, err := x.h.engine.Topics(x.ctx, x.cluster)
	out := map[string]int{}
	for _, t := range topics {
		if x.claims.Topics.Matches(t.Name) {
			out[t.Name] = t.Partitions
		}
	}
	return out, err
}

// groupAnswer is a group in the answer of /consumers.
type groupAnswer struct {
	Name      string           `json:"name"`
	Instances []instanceAnswer `json:"instances"`
}

type instanceAnswer struct {
	Name   string        `json:"name"`
	Topics []topicAnswer `json:"topics"`
}

type topicAnswer struct {
	Topic      string `json:"topic"`
	Partitions []int  `json:"partitions"`
}

// consumers lists the groups that the credential may use.
func (x *exchange) consumers() (any, error) {
	groups, err := x.h.engine.Groups(x.ctx, x.cluster)
	out := []groupAnswer{}
	for _, g := range groups {
		group, visible := groupAnswer{Name: g.Name}, x.claims.Groups.Matches(g.Name)
		for _, i := range g.Instances {
			inst := instanceAnswer{Name: i.Name, Topics: []topicAnswer{}}
			for _, t := range i.Topics {
				visible = visible && x.claims.Topics.Matches(t)
			}
			for _, p := range i.Partitions {
				if n := len(inst.Topics); n == 0 || inst.Topics[n-1].Topic != p.Topic {
					inst.Topics = append(inst.Topics, topicAnswer{Topic: p.Topic})
				}
				last := &inst.Topics[len(inst.Topics)-1]
				last.Partitions = append(last.Partitions, p.Partition)
			}
			group.Instances = append(group.Instances, inst)
		}
		if visible {
			out = append(out, group)
		}
	}
	return out, err
}

func (x *exchange) deleteConsumer() (any, error) {
	if err := x.mayUseGroup(x.path[0]); err != nil {
		return nil, err
	}
	return done, x.h.engine.DeleteInstance(x.ctx, x.cluster, x.path[0], x.path[1])
}
