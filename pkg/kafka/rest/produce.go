package rest

import (
	"errors"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/batch"
)

// newMessage is a message in a produce request.
type newMessage struct {
	Topic     *string     `json:"topic"`
	Partition *int32      `json:"partition"`
	Timestamp *int64      `json:"timestamp"`
	Key       *string     `json:"key"`
	Value     nullable    `json:"value"`
	Headers   []newHeader `json:"headers"`
}

type newHeader struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// produce: /produce, /produce/topic and /produce/topic/message.
func (x *exchange) produce() (any, error) {
	if len(x.path) == 2 {
		m := kafka.NewMessage{Topic: x.path[0], Partition: kafka.AnyPartition, Timestamp: -1, Value: []byte(x.path[1])}
		if x.query.Has("key") {
			m.Key = []byte(x.query.Get("key"))
		}
		return x.one(m)
	}
	f, err := formOf(x.r.Header)
	if err != nil {
		return nil, err
	}
	in, single, err := decodeMany[newMessage](x, x.body)
	if err != nil {
		return nil, err
	}
	out := make([]kafka.NewMessage, len(in))
	for i := range in {
		if out[i], err = x.message(&in[i], f); err != nil {
			var e *edge.Error
			if errors.As(err, &e) && !single {
				return nil, refuse(e.Status, "messages[%d]: %s", i, e.Text)
			}
			return nil, err
		}
	}
	return x.send(out)
}

// message checks a message of the body.
func (x *exchange) message(in *newMessage, f form) (out kafka.NewMessage, err error) {
	out = kafka.NewMessage{Partition: kafka.AnyPartition, Timestamp: -1}
	switch {
	case len(x.path) == 1:
		out.Topic = x.path[0]
		if in.Topic != nil && *in.Topic != out.Topic {
			return out, badRequest("topic %q is another than the path's", *in.Topic)
		}
	case in.Topic == nil || *in.Topic == "":
		return out, badRequest("topic is missing")
	default:
		out.Topic = *in.Topic
	}
	if !in.Value.given {
		return out, badRequest("value is missing")
	}
	if out.Value, err = f.decode("value", in.Value.value); err != nil {
		return out, err
	}
	if in.Partition != nil {
		if out.Partition = int(*in.Partition); out.Partition < 0 {
			return out, badRequest("partition %d is negative", *in.Partition)
		}
	}
	if in.Timestamp != nil {
		if out.Timestamp = *in.Timestamp; out.Timestamp < 0 {
			return out, badRequest("timestamp %d is negative", *in.Timestamp)
		}
	}
	if in.Key != nil {
		if out.Key, err = f.decode("key", []byte(*in.Key)); err != nil {
			return out, err
		}
	}
	for _, h := range in.Headers {
		value, err := f.decode("the value of header "+h.Key, []byte(h.Value))
		if err != nil {
			return out, err
		}
		out.Headers = append(out.Headers, batch.Header{Key: h.Key, Value: value})
	}
	return out, x.mayProduce(out.Topic)
}

// send produces messages and answers with an array.
func (x *exchange) send(ms []kafka.NewMessage) ([]metadata, error) {
	results, err := x.h.engine.Produce(x.ctx, x.cluster, ms)
	if err != nil {
		return nil, err
	}
	out := make([]metadata, len(results))
	var worst error
	for i, p := range results {
		out[i] = metadataOf(p)
		if p.Err == nil {
			x.used.messages++
			continue
		}
		if worst == nil || edge.Of(answerOf(p.Err)).Status > edge.Of(answerOf(worst)).Status {
			worst = p.Err
		}
	}
	if worst != nil {
		return nil, &partial{results, worst}
	}
	return out, nil
}

// one produces a message and answers with an object.
func (x *exchange) one(m kafka.NewMessage) (any, error) {
	if err := x.mayProduce(m.Topic); err != nil {
		return nil, err
	}
	out, err := x.send([]kafka.NewMessage{m})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// webhook: the body is the value, headers of the sender become the message's.
func (x *exchange) webhook() (any, error) {
	topic := x.query.Get("topic")
	if topic == "" {
		return nil, badRequest("topic is missing in the query")
	}
	m := kafka.NewMessage{Topic: topic, Partition: kafka.AnyPartition, Timestamp: -1, Value: x.body}
	if m.Value == nil {
		m.Value = []byte{}
	}
	if x.query.Has("key") {
		m.Key = []byte(x.query.Get("key"))
	}
	for _, name := range sortedNames(x.r.Header) {
		for _, value := range x.r.Header[name] {
			m.Headers = append(m.Headers, batch.Header{Key: strings.ToLower(name), Value: []byte(value)})
		}
	}
	return x.one(m)
}
