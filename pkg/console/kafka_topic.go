package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/qstash"
)

func kafkaTopicPages() []*page {
	const p = control.Kafka
	return []*page{
		{route: "GET /r/{id}/topics", title: "Topics", view: "kafka-topics", product: p, nav: nav{groupData, "Topics", "list"}, serve: showTopics},
		{route: "POST /r/{id}/topics", title: "Topics", view: "kafka-topics", product: p, serve: createTopic},
		{route: "POST /r/{id}/topics/{topic}/settings", product: p, serve: updateTopic},
		{route: "POST /r/{id}/topics/{topic}/delete", product: p, serve: deleteTopic},
	}
}

// cluster is the request's cluster.
func (r *request) cluster() (*kafka.Cluster, error) {
	c, err := r.h.kafka.Cluster(r.Context(), r.resource.ID)
	if kafka.IsKind(err, kafka.NotFound) {
		return nil, errNoPage
	}
	return c, err
}

// kafkaError says in words what Kafka refuses.
func kafkaError(err error) error {
	var refused *kafka.Error
	if !errors.As(err, &refused) {
		return err
	}
	status := http.StatusUnprocessableEntity
	switch refused.Kind {
	case kafka.NotFound:
		status = http.StatusNotFound
	case kafka.Exists, kafka.Lost:
		status = http.StatusConflict
	}
	return edge.Refuse(status, sentence(refused.Text))
}

// topicRow is a topic in the list.
type topicRow struct {
	*kafka.Topic
	Messages int64 // between start and end of all partitions
	Keeps    string
	URL      string
}

// topicForm are a topic's settings as forms have them.
type topicForm struct {
	Name, Partitions, Retention, RetentionBytes, MaxMessage string
	Compact, CompactDelete                                  bool
	Errors                                                  formErrors
}

// topicsPage is what the view "kafka-topics" shows.
type topicsPage struct {
	Rows       []topicRow
	Partitions int64 // of all topics
	Max        int64
	Form       topicForm
	Open       bool // the form
}

func (r *request) topicsPage(form topicForm) (*topicsPage, error) {
	c, err := r.cluster()
	if err != nil {
		return nil, err
	}
	topics, err := r.h.kafka.Topics(r.Context(), c)
	if err != nil {
		return nil, err
	}
	p := &topicsPage{Max: int64(c.MaxPartitions), Form: form, Open: form.Errors != nil}
	for _, t := range topics {
		ranges, err := r.h.kafka.Ranges(r.Context(), c, t.Name)
		if kafka.IsKind(err, kafka.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		row := topicRow{Topic: t, Keeps: keeps(t), URL: r.path("topics", t.Name)}
		for _, part := range ranges {
			row.Messages += part.End - part.Start
		}
		p.Rows = append(p.Rows, row)
		p.Partitions += int64(t.Partitions)
	}
	return p, nil
}

// keeps says how long a topic keeps its messages.
func keeps(t *kafka.Topic) string {
	if t.Compact && !t.CompactDelete {
		return "The last of each key"
	}
	if t.Retention < 0 {
		return "For ever"
	}
	return span(t.Retention)
}

// span writes a duration in the largest units that it is whole in: 7 days, 90 minutes.
func span(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / u.size; d%u.size == 0 && n > 0 {
			if n == 1 {
				return "1 " + u.name
			}
			return strconv.FormatInt(int64(n), 10) + " " + u.name + "s"
		}
	}
	return d.String()
}

func showTopics(r *request) error {
	p, err := r.topicsPage(topicForm{Partitions: "1", Retention: "7d"})
	if err != nil {
		return err
	}
	return r.render(p)
}

// options reads a topic's settings. What is wrong goes into the form's errors.
func (f *topicForm) options(r *request) (o kafka.TopicOptions) {
	*f = topicForm{
		Name: r.form("name"), Partitions: r.form("partitions"), Retention: r.form("retention"),
		RetentionBytes: r.form("retention_bytes"), MaxMessage: r.form("max_message"), Compact: r.form("compact") != "",
		CompactDelete: r.form("compact_delete") != "", Errors: formErrors{},
	}
	var err error
	if o.Partitions, err = strconv.Atoi(f.Partitions); err != nil || o.Partitions < 1 {
		f.Errors["partitions"] = "Enter a whole number of at least 1."
	}
	switch strings.ToLower(f.Retention) {
	case "":
	case "forever":
		o.Retention = -1
	default:
		if o.Retention, err = qstash.ParseDuration(f.Retention); err != nil || o.Retention <= 0 {
			f.Errors["retention"] = "Enter a time such as 12h or 7d, or forever."
		}
	}
	if f.RetentionBytes != "" {
		if o.RetentionBytes, err = strconv.ParseInt(f.RetentionBytes, 10, 64); err != nil || o.RetentionBytes < 0 {
			f.Errors["retention_bytes"] = "Enter a number of bytes, or nothing."
		}
	}
	if f.MaxMessage != "" {
		if o.MaxMessageBytes, err = strconv.Atoi(f.MaxMessage); err != nil || o.MaxMessageBytes < 1 || o.MaxMessageBytes > kafka.MaxMessageBytes {
			f.Errors["max_message"] = "Enter a number of bytes up to " + formatCount(kafka.MaxMessageBytes) + "."
		}
	}
	o.Compact, o.CompactDelete = f.Compact, f.Compact && f.CompactDelete
	return o
}

func createTopic(r *request) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	var f topicForm
	o := f.options(r)
	if !kafka.ValidTopicName(f.Name) {
		f.Errors["name"] = "Use 1 to 249 letters, digits, dots, dashes and underscores."
	}
	if len(f.Errors) == 0 {
		_, err := r.h.kafka.CreateTopic(r.Context(), c, f.Name, o)
		if err == nil {
			return r.redirect(r.path("topics", f.Name), "Topic "+f.Name+" is ready.")
		}
		ref := refused(kafkaError(err))
		if ref == nil {
			return err
		}
		if ref.Status == http.StatusConflict {
			f.Errors["name"] = ref.Text
		} else {
			f.Errors[""] = ref.Text
		}
	}
	p, err := r.topicsPage(f)
	if err != nil {
		return err
	}
	return r.renderStatus(http.StatusUnprocessableEntity, p)
}

// topicSettings are a topic's present settings as the form has them.
func topicSettings(t *kafka.Topic) topicForm {
	f := topicForm{Name: t.Name, Partitions: strconv.Itoa(t.Partitions), MaxMessage: strconv.Itoa(t.MaxMessageBytes), Compact: t.Compact, CompactDelete: t.CompactDelete, Retention: "forever"}
	if t.Retention > 0 {
		f.Retention = shortSpan(t.Retention)
	}
	if t.RetentionBytes > 0 {
		f.RetentionBytes = strconv.FormatInt(t.RetentionBytes, 10)
	}
	return f
}

// shortSpan writes a duration as qstash.ParseDuration reads it.
func shortSpan(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d%u.size == 0 {
			return strconv.FormatInt(int64(d/u.size), 10) + u.name
		}
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}

func updateTopic(r *request) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	var f topicForm
	o := f.options(r)
	for _, text := range f.Errors {
		return edge.Refuse(http.StatusUnprocessableEntity, text)
	}
	name := r.PathValue("topic")
	if _, err := r.h.kafka.UpdateTopic(r.Context(), c, name, func(to *kafka.TopicOptions) { *to = o }); err != nil {
		return kafkaError(err)
	}
	return r.redirect(r.path("topics", name)+"?tab=settings", "Saved.")
}

func deleteTopic(r *request) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	name := r.PathValue("topic")
	if r.form("confirm") != name {
		return edge.Refuse(http.StatusUnprocessableEntity, "The name did not match, so nothing was deleted.")
	}
	if err := r.h.kafka.DeleteTopic(r.Context(), c, name); err != nil {
		return kafkaError(err)
	}
	return r.redirect(r.path("topics"), "Topic "+name+" was deleted.")
}
