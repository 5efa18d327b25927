package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/store"
)

// Values of acks.
const (
	acksNone   = 0
	acksLeader = 1
	acksAll    = -1
)

// firstWithBatches is the version of Produce from which on clients send batches of format v2, and
// firstWithZstd the one from which on they may be compressed with zstd.
const (
	firstWithBatches = 3
	firstWithZstd    = 7
)

// produced is where a batch of the request goes, and its part of the answer.
type produced struct {
	topic     string
	partition int32
	data      []byte
	out       *kmsg.ProduceResponseTopicPartition
}

func (x *exchange) produce(ctx context.Context, req *kmsg.ProduceRequest, resp *kmsg.ProduceResponse) error {
	all := answerProduce(req, resp)
	var batches []kafka.NewBatch
	var parts []*produced
	seen := map[kafka.TopicPartition]bool{}
	for i := range all {
		p := &all[i]
		tp := kafka.TopicPartition{Topic: p.topic, Partition: int(p.partition)}
		if e := x.refusesProduce(req, p, seen[tp]); e != nil {
			p.out.ErrorCode = e.Code
			if x.blocked {
				p.out.ErrorMessage = &x.Cluster.Blocked.Text
			}
			x.fail(http.StatusBadRequest)
			continue
		}
		seen[tp] = true
		batches = append(batches, kafka.NewBatch{TopicPartition: tp, Data: p.data})
		parts = append(parts, p)
	}
	if len(batches) > 0 {
		counts := countRecords(batches)
		for i, got := range x.s.engine.Append(ctx, x.Cluster, batches, time.Duration(req.TimeoutMillis)*time.Millisecond) {
			p := parts[i]
			if got.Err != nil {
				p.out.ErrorCode, p.out.ErrorMessage = x.codeOf(got.Err, retryOfProduce(got.Err)), textOf(got.Err)
				if kafka.IsKind(got.Err, kafka.Invalid) { // no topic has such a name
					p.out.ErrorCode = kerr.UnknownTopicOrPartition.Code
				}
				continue
			}
			p.out.BaseOffset, p.out.LogStartOffset = got.Offset, got.Start
			x.messages += counts[i]
		}
	}
	if req.Acks == acksNone {
		x.silent = true
		for _, p := range all {
			if p.out.ErrorCode != 0 { // the only way to tell the client
				return fmt.Errorf("producing without acknowledgement to %s/%d: %w", p.topic, p.partition, kerr.ErrorForCode(p.out.ErrorCode))
			}
		}
	}
	return nil
}

// answerProduce makes an answer with a part for each partition of the request.
func answerProduce(req *kmsg.ProduceRequest, resp *kmsg.ProduceResponse) (all []produced) {
	for _, t := range req.Topics {
		out := kmsg.NewProduceResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.BaseOffset, part.LogAppendTime, part.LogStartOffset = p.Partition, -1, -1, -1
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	for i, t := range req.Topics {
		for j, p := range t.Partitions {
			all = append(all, produced{t.Topic, p.Partition, p.Records, &resp.Topics[i].Partitions[j]})
		}
	}
	return all
}

// refusesProduce says why a batch is not even given to the engine; nil: it is.
func (x *exchange) refusesProduce(req *kmsg.ProduceRequest, p *produced, again bool) *kerr.Error {
	switch {
	case !x.Claims.MayProduce(p.topic):
		return kerr.TopicAuthorizationFailed
	case x.Cluster.Blocked.Holds(x.s.now()):
		x.blocked = true
		return kerr.PolicyViolation
	case req.Version < firstWithBatches:
		return kerr.UnsupportedForMessageFormat
	case req.TransactionID != nil:
		return kerr.TransactionalIDAuthorizationFailed
	case req.Acks != acksNone && req.Acks != acksLeader && req.Acks != acksAll:
		return kerr.InvalidRequiredAcks
	case again:
		return kerr.InvalidRequest
	case len(p.data) == 0:
		return kerr.InvalidRecord
	case req.Version < firstWithZstd && isZstd(p.data):
		return kerr.UnsupportedCompressionType
	}
	return nil
}

const codecBits = 0x07

func isZstd(b []byte) bool {
	return len(b) >= batch.HeaderSize && batch.Codec(b[22]&codecBits) == batch.Zstd
}

// countRecords counts the messages of batches, for the meter.
func countRecords(batches []kafka.NewBatch) []int {
	counts := make([]int, len(batches))
	for i, b := range batches {
		if len(b.Data) >= batch.HeaderSize {
			counts[i] = int(binary.BigEndian.Uint32(b.Data[batch.HeaderSize-4:]))
		}
	}
	return counts
}

// retryOfProduce is the code of an error after which clients send a batch again.
func retryOfProduce(err error) *kerr.Error {
	if errors.Is(err, store.ErrUnknownOutcome) || errors.Is(err, context.DeadlineExceeded) {
		return kerr.RequestTimedOut
	}
	return kerr.KafkaStorageError
}

func (x *exchange) initProducerID(ctx context.Context, req *kmsg.InitProducerIDRequest, resp *kmsg.InitProducerIDResponse) error {
	resp.ProducerID = -1
	if req.TransactionalID != nil {
		resp.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		return nil
	}
	id, err := x.s.engine.NewProducerID(ctx, x.Cluster)
	if err != nil {
		resp.ErrorCode = x.codeOf(err, kerr.CoordinatorLoadInProgress)
		return nil
	}
	resp.ProducerID, resp.ProducerEpoch = id, 0
	return nil
}
