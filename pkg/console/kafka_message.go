package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/batch"
)

func kafkaMessagePages() []*page {
	const p = control.Kafka
	return []*page{
		{route: "GET /r/{id}/topics/{topic}", title: "Topic", view: "kafka-topic", product: p, serve: showTopic},
		{route: "GET /r/{id}/topics/{topic}/message", product: p, serve: downloadMessage},
		{route: "POST /r/{id}/topics/{topic}/produce", product: p, maxBody: 2 * kafka.MaxMessageBytes, serve: produceMessage},
	}
}

const (
	messagesPerPage = 50
	maxMessageText  = 8 << 10         // bytes of a value that are shown
	readPatience    = 2 * time.Second // for messages that were accepted a moment ago
)

// messageRow is a message in the browser.
type messageRow struct {
	Partition int
	Offset    int64
	At        time.Time
	Key       string
	HasKey    bool
	Line      string // the value's beginning
	Tombstone bool
	Value     preview
	Headers   [][2]string
	URL       string // of the whole value
}

// topicPage is what the view "kafka-topic" shows.
type topicPage struct {
	Topic    *kafka.Topic
	Tab      string // "messages", "partitions" or "settings"
	Ranges   []partitionRow
	Messages int64
	Largest  int64 // message that it takes, in bytes
	Keeps    string
	Form     topicForm

	Rows       []messageRow
	Partition  string // "": all
	At         string // "latest", "earliest", "offset" or "time"
	Offset     string
	Time       string
	Partitions []option
	Starts     []option
	Error      string
	Note       string
	First      string
	Next       string
	NextLabel  string
	This       string
}

type partitionRow struct {
	kafka.PartitionRange
	Messages int64
	URL      string
}

func showTopic(r *request) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	t, err := r.h.kafka.Topic(r.Context(), c, r.PathValue("topic"))
	if kafka.IsKind(err, kafka.NotFound) || kafka.IsKind(err, kafka.Invalid) {
		return notFound("topic")
	}
	if err != nil {
		return err
	}
	ranges, err := r.h.kafka.Ranges(r.Context(), c, t.Name)
	if err != nil {
		return kafkaError(err)
	}
	q := r.URL.Query()
	p := &topicPage{
		Topic: t, Tab: cmp.Or(q.Get("tab"), "messages"), Keeps: keeps(t), Largest: int64(t.MaxMessageBytes), Form: topicSettings(t),
		Partition: q.Get("partition"), At: cmp.Or(q.Get("at"), "latest"), Offset: q.Get("offset"), Time: q.Get("time"),
		Partitions: []option{{"", "All partitions"}},
		Starts:     []option{{"latest", "Newest first"}, {"earliest", "From the beginning"}, {"offset", "From an offset"}, {"time", "From a time"}},
		This:       r.path("topics", t.Name),
	}
	for _, part := range ranges {
		n := strconv.Itoa(part.Partition)
		p.Partitions = append(p.Partitions, option{n, "Partition " + n})
		p.Ranges = append(p.Ranges, partitionRow{part, part.End - part.Start, p.This + "?partition=" + n})
		p.Messages += part.End - part.Start
	}
	if p.Tab == "messages" {
		if err := r.lookAt(c, p, ranges); err != nil {
			if refused(kafkaError(err)) == nil {
				return err
			}
			p.Error = refused(kafkaError(err)).Text
		}
	}
	return r.render(p)
}

// lookAt reads the page of messages that the address asks for.
func (r *request) lookAt(c *kafka.Cluster, p *topicPage, ranges []kafka.PartitionRange) error {
	if p.Partition != "" {
		n, err := strconv.Atoi(p.Partition)
		if err != nil || n < 0 || n >= len(ranges) {
			return edge.Refuse(http.StatusUnprocessableEntity, "The topic has no such partition.")
		}
		ranges = ranges[n : n+1]
	}
	begin, err := r.begins(c, p, ranges)
	if err != nil {
		return err
	}
	each := messagesPerPage
	if len(ranges) > 1 {
		each = max(10, messagesPerPage/len(ranges))
	}
	var all []kafka.Message
	for i, part := range ranges {
		from, to := begin[i], part.End
		if p.At == "latest" {
			to = from
			from = max(part.Start, to-int64(each))
		}
		messages, next, err := r.h.kafka.Look(r.Context(), c, kafka.TopicOffset{TopicPartition: part.TopicPartition, Offset: from}, to, each)
		if err != nil {
			return err
		}
		all = append(all, messages...)
		if len(ranges) > 1 {
			continue
		}
		link := url.Values{"partition": {p.Partition}, "at": {p.At}}
		switch {
		case p.At == "latest" && from > part.Start:
			link.Set("offset", strconv.FormatInt(from, 10))
			p.Next, p.NextLabel = p.This+"?"+link.Encode(), "Older"
		case p.At != "latest" && next < part.End:
			link.Set("at", "offset")
			link.Set("offset", strconv.FormatInt(next, 10))
			p.Next, p.NextLabel = p.This+"?"+link.Encode(), "Newer"
		}
		if p.At == "latest" && p.Offset != "" {
			p.First = p.This + "?partition=" + p.Partition
		}
	}
	slices.SortStableFunc(all, func(a, b kafka.Message) int {
		order := cmp.Or(cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
		if len(ranges) == 1 {
			order = cmp.Compare(a.Offset, b.Offset)
		}
		if p.At == "latest" {
			return -order
		}
		return order
	})
	if len(ranges) > 1 {
		p.Note = "The " + map[bool]string{true: "newest", false: "first"}[p.At == "latest"] + " messages of each partition. Choose one to page through all of it."
	}
	for _, m := range all {
		p.Rows = append(p.Rows, r.messageRow(m))
	}
	return nil
}

// begins are the offsets at which the partitions are to be read, or for the newest messages
// below which.
func (r *request) begins(c *kafka.Cluster, p *topicPage, ranges []kafka.PartitionRange) ([]int64, error) {
	begin := make([]int64, len(ranges))
	switch p.At {
	case "time":
		at, err := time.ParseInLocation("2006-01-02T15:04", clip(p.Time, 16), time.UTC)
		if err != nil {
			return nil, edge.Refuse(http.StatusUnprocessableEntity, "Enter a date and a time, in UTC.")
		}
		var tps []kafka.TopicPartition
		for _, part := range ranges {
			tps = append(tps, part.TopicPartition)
		}
		found, err := r.h.kafka.Offsets(r.Context(), c, tps, at.UnixMilli(), readPatience)
		if err != nil {
			return nil, err
		}
		for i, f := range found {
			begin[i] = f.Offset
		}
	case "offset", "latest":
		offset, err := strconv.ParseInt(p.Offset, 10, 64)
		if p.At == "offset" && (err != nil || offset < 0) {
			return nil, edge.Refuse(http.StatusUnprocessableEntity, "Enter an offset: a number from 0 on.")
		}
		for i, part := range ranges {
			begin[i] = part.End
			if err == nil {
				begin[i] = min(max(offset, part.Start), part.End)
			}
		}
	default:
		for i, part := range ranges {
			begin[i] = part.Start
		}
	}
	return begin, nil
}

func (r *request) messageRow(m kafka.Message) messageRow {
	q := url.Values{"partition": {strconv.Itoa(m.Partition)}, "offset": {strconv.FormatInt(m.Offset, 10)}}
	row := messageRow{
		Partition: m.Partition, Offset: m.Offset, At: time.UnixMilli(m.Timestamp), Key: line(string(m.Key)), HasKey: m.Key != nil,
		Line: line(string(m.Value)), Tombstone: m.Value == nil, Value: previewOf(string(m.Value), maxMessageText),
		URL: r.path("topics", m.Topic, "message") + "?" + q.Encode(),
	}
	for _, h := range m.Headers {
		row.Headers = append(row.Headers, [2]string{line(h.Key), line(string(h.Value))})
	}
	return row
}

func downloadMessage(r *request) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	partition, err1 := strconv.Atoi(r.query("partition"))
	offset, err2 := strconv.ParseInt(r.query("offset"), 10, 64)
	if err1 != nil || err2 != nil {
		return notFound("message")
	}
	at := kafka.TopicOffset{TopicPartition: kafka.TopicPartition{Topic: r.PathValue("topic"), Partition: partition}, Offset: offset}
	found, _, err := r.h.kafka.Look(r.Context(), c, at, offset+1, 1)
	if kafka.IsKind(err, kafka.NotFound) || kafka.IsKind(err, kafka.Invalid) || err == nil && len(found) == 0 {
		return notFound("message")
	}
	if err != nil {
		return err
	}
	return r.download("message.bin", string(found[0].Value))
}

func produceMessage(r *request) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	m := kafka.NewMessage{Topic: r.PathValue("topic"), Partition: kafka.AnyPartition, Timestamp: -1}
	if text := r.form("partition"); text != "" {
		if m.Partition, err = strconv.Atoi(text); err != nil || m.Partition < 0 {
			return edge.Refuse(http.StatusUnprocessableEntity, "The topic has no such partition.")
		}
	}
	if key := r.edited("key"); key != "" {
		m.Key = []byte(key)
	}
	if r.form("tombstone") == "" {
		m.Value = []byte(r.edited("value"))
	}
	for l := range strings.Lines(strings.ReplaceAll(r.PostForm.Get("headers"), "\r\n", "\n")) {
		name, value, ok := strings.Cut(strings.TrimSuffix(l, "\n"), ":")
		if name = strings.TrimSpace(name); name == "" && value == "" {
			continue
		}
		if !ok || name == "" {
			return edge.Refuse(http.StatusUnprocessableEntity, "Write each header as name: value, one on a line.")
		}
		m.Headers = append(m.Headers, batch.Header{Key: name, Value: []byte(strings.TrimSpace(value))})
	}
	done, err := r.h.kafka.Produce(r.Context(), c, []kafka.NewMessage{m})
	if err != nil {
		return kafkaError(err)
	}
	if done[0].Err != nil {
		return done[0].Err
	}
	// So that the page that follows shows it.
	at := kafka.TopicOffset{TopicPartition: kafka.TopicPartition{Topic: m.Topic, Partition: done[0].Partition}, Offset: done[0].Offset}
	if _, err := r.h.kafka.Fetch(r.Context(), c, []kafka.TopicOffset{at}, readPatience); err != nil {
		return kafkaError(err)
	}
	return r.redirect(r.path("topics", m.Topic), "Sent to partition "+strconv.Itoa(done[0].Partition)+" at offset "+formatCount(done[0].Offset)+".")
}
