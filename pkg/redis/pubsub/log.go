package pubsub

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// Attributes and sort keys of a message log.
const (
	logEnd     = "n" // number of the last message
	logRecent  = "l" // the last messages, which no segment holds yet
	logHead    = "\x00"
	logSegment = "\x01" // number of its last message
	logBody    = "\x02" // name of the message, number of the chunk
)

const (
	// maxRecent is how many messages the head may hold before a publisher has to
	// move them to a segment.
	maxRecent = 64
	// fullRecent is the size in bytes from which a publisher moves them: DynamoDB
	// charges each publication for the whole head.
	fullRecent = 1024
	// inlineMessage is the size in bytes up to which a message is in the log
	// itself; the body of a larger one is stored apart.
	inlineMessage = 1024
	// maxInlined is how many messages of one transaction are in the log themselves.
	maxInlined = 64
	// maxPublished bounds the messages of one transaction.
	maxPublished = 4096
	// logLife is how long messages can be read again after they were published.
	logLife = 10 * time.Minute
	// maxLogRead bounds the bytes of the messages that are read at a time for all subscribers, but for the last one.
	maxLogRead = 4 << 20
)

// errLogGone says that messages have gone that a reader has yet to read.
var errLogGone = errors.New("messages were deleted before they could be read")

// messageLog names a message log of a database: one of those that the channels
// are spread over by their names, or the monitor's.
type messageLog struct {
	db    string
	shard uint16
}

// monitorLog is where commands are written while there is a MONITOR.
const monitorLog = 0xffff

// maxLogs bounds the logs that the channels of a database are spread over. A
// pattern may match any channel, so its subscribers read all of them.
const maxLogs = 8

// logs is the number of logs that a database's channels are spread over.
func logsOf(d *keyspace.Database) int { return min(d.Slots, maxLogs) }

// logOf is the log of a channel. All keyspace events are in one, so that they are read in the order in which they happened.
func logOf(d *keyspace.Database, channel string) messageLog {
	if strings.HasPrefix(channel, keyspacePrefix) || strings.HasPrefix(channel, keyeventPrefix) {
		return messageLog{d.ID, 0}
	}
	return messageLog{d.ID, uint16(keyspace.HashOf(channel) % uint64(logsOf(d)))}
}

func (l messageLog) key(sort string) store.Key {
	b := make([]byte, 0, len(l.db)+4)
	b = append(b, 'p')
	b = append(b, l.db...)
	b = append(b, 0)
	return store.Key{Partition: string(binary.BigEndian.AppendUint16(b, l.shard)), Sort: sort}
}

func bodyKey(l messageLog, name string, chunk int) store.Key {
	return l.key(logBody + name + string(binary.BigEndian.AppendUint32(nil, uint32(chunk))))
}

// Partitions are those of a database's logs and of its registry: all that is stored of its messages.
func Partitions(d *keyspace.Database) []string {
	out := []string{registryPartition(d.ID), messageLog{d.ID, monitorLog}.key(logHead).Partition}
	for i := range logsOf(d) {
		out = append(out, messageLog{d.ID, uint16(i)}.key(logHead).Partition)
	}
	return out
}

// publication is a message on its way to a log.
type publication struct{ channel, payload string }

func (p publication) size() int { return len(p.channel) + len(p.payload) }

// logged is a message in a log.
type logged struct {
	seq int64
	publication
	name   string // of the body's chunks; "" if the message is complete
	chunks int
}

// A message in a log is its name (12 bytes of the write's id, 4 bytes of its
// number among that write's messages), then the number of chunks of its body
// and, if there are none, the body: the channel's length, the channel and the payload.
const messageName = 16

func nameOfMessage(id keyspace.WriteID, i int) string {
	return string(binary.BigEndian.AppendUint32([]byte(id), uint32(i)))
}

func encodeBody(p publication) string {
	b := make([]byte, 0, p.size()+binary.MaxVarintLen32)
	b = binary.AppendUvarint(b, uint64(len(p.channel)))
	b = append(b, p.channel...)
	return string(append(b, p.payload...))
}

func decodeBody(body string) publication {
	n, k := binary.Uvarint([]byte(body[:min(len(body), binary.MaxVarintLen32)]))
	if k <= 0 || n > uint64(len(body)-k) {
		return publication{}
	}
	return publication{body[k : k+int(n)], body[k+int(n):]}
}

func decodeMessage(seq int64, entry string) logged {
	m := logged{seq: seq}
	if len(entry) <= messageName {
		return m
	}
	rest := entry[messageName:]
	n, k := binary.Uvarint([]byte(rest[:min(len(rest), binary.MaxVarintLen32)]))
	if k <= 0 {
		return m
	}
	if m.chunks = int(n); n == 0 {
		m.publication = decodeBody(rest[k:])
	} else {
		m.name = entry[:messageName]
	}
	return m
}

// append makes the operations that append messages to logs, in a commit with the id. The
// items to be written before the commit hold what is too large for a log.
func appendToLogs(id keyspace.WriteID, nowMs int64, logFor func(channel string) messageLog, messages []publication) (ops []store.Op, bodies []store.Item) {
	entries := map[messageLog][]string{}
	var order []messageLog
	for i, p := range messages {
		l, name, body := logFor(p.channel), nameOfMessage(id, i), encodeBody(p)
		if entries[l] == nil {
			order = append(order, l)
		}
		entry := name + "\x00" + body
		if len(body) > inlineMessage || i >= maxInlined {
			chunks := (len(body) + keyspace.ChunkSize - 1) / keyspace.ChunkSize
			for c := range chunks {
				bodies = append(bodies, store.Item{Key: bodyKey(l, name, c), Attrs: store.Attrs{
					{Name: keyspace.AttrValue, Value: store.Bytes(body[c*keyspace.ChunkSize : min((c+1)*keyspace.ChunkSize, len(body))])},
					{Name: store.TTLAttr, Value: store.Int(logExpiry(nowMs))},
				}})
			}
			entry = string(binary.AppendUvarint([]byte(name), uint64(chunks)))
		}
		entries[l] = append(entries[l], entry)
	}
	for _, l := range order {
		ops = append(ops, store.Update(l.key(logHead),
			store.And{store.Absent(id.TraceName()), store.Or{store.Absent(logRecent), store.Compare{Name: logRecent, Cmp: store.CmpLt, Value: store.Int(maxRecent), Size: true}}},
			store.Append(logRecent, entries[l]), store.Add(logEnd, logEnd, int64(len(entries[l])))))
	}
	return ops, bodies
}

func logExpiry(nowMs int64) int64 { return nowMs/1000 + int64(logLife/time.Second) }

// logEnd is the number of the last message in a log.
func (b *Broker) logEnd(ctx context.Context, l messageLog) (int64, error) {
	head, err := b.store.Get(ctx, l.key(logHead))
	if err != nil {
		return 0, fmt.Errorf("reading the end of a message log: %w", err)
	}
	return head.Get(logEnd).Num(), nil
}

// readLog reads messages behind number after, in order, as many as are at hand or fit in
// a number of bytes; there may be more if the last one's number is less than end.
func (b *Broker) readLog(ctx context.Context, l messageLog, after int64, most int) (messages []logged, end int64, err error) {
	head, err := b.store.Get(ctx, l.key(logHead))
	if err != nil {
		return nil, 0, fmt.Errorf("reading a message log: %w", err)
	}
	end = head.Get(logEnd).Num()
	if end <= after {
		return nil, end, nil
	}
	recent := head.Get(logRecent).Elems()
	entries, first := recent, end-int64(len(recent))+1
	if first > after+1 {
		page, err := b.store.Query(ctx, store.Query{Partition: l.key(logHead).Partition, From: logSegment + keyspace.PutUint64(uint64(after+1)), To: store.PrefixEnd(logSegment), Limit: 8})
		if err != nil {
			return nil, 0, fmt.Errorf("reading a message log: %w", err)
		}
		entries = nil
		for _, it := range page.Items {
			list := it.Attrs.Get(logRecent).Elems()
			start := int64(keyspace.GetUint64(it.Key.Sort[1:])) - int64(len(list)) + 1
			if entries == nil {
				first = start
			}
			if start != first+int64(len(entries)) {
				break // the next read finds out about the gap
			}
			entries = append(entries, list...)
		}
		if entries == nil || first > after+1 {
			return nil, end, errLogGone
		}
	}
	size := 0
	for i, entry := range entries {
		m := decodeMessage(first+int64(i), entry)
		if m.seq <= after {
			continue
		}
		if m.name != "" {
			if m.publication, err = b.readBody(ctx, l, m); err != nil {
				return nil, end, err
			}
		}
		messages = append(messages, m)
		if size += m.size(); size > most {
			break
		}
	}
	return messages, end, nil
}

// readBody reads what was stored apart.
func (b *Broker) readBody(ctx context.Context, l messageLog, m logged) (publication, error) {
	keys := make([]store.Key, m.chunks)
	for i := range keys {
		keys[i] = bodyKey(l, m.name, i)
	}
	items, err := b.store.GetMany(ctx, keys, false)
	if err != nil {
		return publication{}, fmt.Errorf("reading a message: %w", err)
	}
	var body strings.Builder
	for _, as := range items {
		if as == nil {
			return publication{}, errLogGone
		}
		body.WriteString(as.Get(keyspace.AttrValue).Str())
	}
	return decodeBody(body.String()), nil
}

// tidyLog moves the messages in a log's head to a segment if there are many. If it fails, or
// another publisher is faster, a later publication does it.
func (b *Broker) tidyLog(ctx context.Context, l messageLog, head store.Attrs) {
	recent := head.Get(logRecent)
	if recent.Size() < fullRecent && len(recent.Elems()) < maxRecent {
		return
	}
	now, end := b.nowMs(), head.Get(logEnd).Num()
	edits := []store.Edit{store.Remove(logRecent)}
	for _, name := range keyspace.StaleTraces(head, now) {
		edits = append(edits, store.Remove(name))
	}
	err := b.store.Commit(ctx, []store.Op{
		store.Put(l.key(logSegment+keyspace.PutUint64(uint64(end))), store.Attrs{
			{Name: logRecent, Value: recent}, {Name: store.TTLAttr, Value: store.Int(logExpiry(now))},
		}, nil),
		store.Update(l.key(logHead), store.Eq(logEnd, store.Int(end)), edits...),
	})
	if _, changed := keyspace.IsConditionError(err); err != nil && !changed && !errors.Is(err, store.ErrConflict) {
		b.log.WarnContext(ctx, "moving messages to a segment", "error", err)
	}
}

// sealLog makes sure that a write of unknown outcome does not append to a log any more, and
// finds out whether it has.
func (b *Broker) sealLog(ctx context.Context, l messageLog, id keyspace.WriteID) (keyspace.Outcome, error) {
	var head store.Attrs
	writes := b.retry.Begin()
	for {
		var err error
		if head, err = b.store.Apply(ctx, store.Update(l.key(logHead), nil, store.Set(id.TraceName(), store.Bytes("")))); err == nil {
			break
		}
		if writes.Failed() == keyspace.ResolveReads || writes.Wait(ctx, err) != nil {
			return keyspace.Unknown, fmt.Errorf("%w (sealing a message log: %v)", store.ErrUnknownOutcome, err)
		}
	}
	mine := func(entry string) bool { return strings.HasPrefix(entry, string(id)) }
	if slices.ContainsFunc(head.Get(logRecent).Elems(), mine) {
		return keyspace.Applied, nil
	}
	q := store.Query{Partition: l.key(logHead).Partition, From: logSegment, To: store.PrefixEnd(logSegment), Reverse: true, Limit: 8}
	for {
		page, err := b.store.Query(ctx, q)
		if err != nil {
			return keyspace.Unknown, fmt.Errorf("%w (reading a message log: %v)", store.ErrUnknownOutcome, err)
		}
		for _, it := range page.Items {
			entries := it.Attrs.Get(logRecent).Elems()
			if slices.ContainsFunc(entries, mine) {
				return keyspace.Applied, nil
			}
			if n := len(entries); n > 0 && keyspace.WriteID(entries[n-1][:min(len(entries[n-1]), 12)]).Millis() < id.Millis()-keyspace.AttemptLife.Milliseconds() {
				return keyspace.NotApplied, nil
			}
		}
		if !page.More {
			return keyspace.NotApplied, nil
		}
		q = q.Next(page)
	}
}
