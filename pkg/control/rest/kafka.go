package rest

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/token"
)

// cluster is a Kafka cluster as the API shows it.
type cluster struct {
	ID                   string `json:"cluster_id"`
	Name                 string `json:"name"`
	Region               string `json:"region"`
	Type                 string `json:"type"`
	Multizone            bool   `json:"multizone"`
	TCPEndpoint          string `json:"tcp_endpoint"` // host:port; empty: there is only the REST API
	RestEndpoint         string `json:"rest_endpoint"`
	State                string `json:"state"`
	Username             string `json:"username"`
	Password             string `json:"password"`
	MaxRetentionSize     int64  `json:"max_retention_size"`      // bytes of a partition; -1: no limit
	MaxRetentionTime     int64  `json:"max_retention_time"`      // ms; -1: no limit
	MaxMessagesPerSecond int64  `json:"max_messages_per_second"` // -1: no limit
	MaxMessageSize       int64  `json:"max_message_size"`
	MaxPartitions        int    `json:"max_partitions"`
	CreationTime         int64  `json:"creation_time"` // Unix seconds
}

const noLimit = -1

func (x *exchange) cluster(r *control.Resource) (*cluster, error) {
	own, err := x.cfg.Kafka.Cluster(x.ctx, r.ID)
	if err != nil {
		return nil, err
	}
	t, _, err := x.defaults(r)
	if err != nil {
		return nil, err
	}
	host, _, _ := endpoint(r.URL)
	return &cluster{
		ID: r.ID, Name: r.Name, Region: r.Region, Type: "paid", Multizone: true, TCPEndpoint: x.cfg.Engine.Broker().Address, RestEndpoint: host,
		State: "active", Username: t.Username, Password: t.Text, MaxRetentionSize: noLimit, MaxRetentionTime: noLimit,
		MaxMessagesPerSecond: noLimit, MaxMessageSize: kafka.MaxMessageBytes, MaxPartitions: own.MaxPartitions, CreationTime: r.CreatedAt.Unix(),
	}, nil
}

func (x *exchange) clusters() (any, error) {
	resources, err := x.resources(control.Kafka)
	if err != nil {
		return nil, err
	}
	out := make([]*cluster, len(resources))
	for i, r := range resources {
		if out[i], err = x.cluster(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (x *exchange) getCluster() (any, error) {
	r, err := x.resource(x.ids[0], control.Kafka)
	if err != nil {
		return nil, err
	}
	return x.cluster(r)
}

func (x *exchange) createCluster() (any, error) {
	var in struct {
		Name   string `json:"name"`
		Region string `json:"region"`
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	if err := x.here(in.Region); err != nil {
		return nil, err
	}
	r, err := x.cfg.Engine.CreateCluster(x.ctx, x.acct.ID, control.CreateOptions{Name: in.Name})
	if err != nil {
		return nil, err
	}
	return x.cluster(r)
}

func (x *exchange) deleteCluster() (any, error) { return x.delete(control.Kafka) }

func (x *exchange) renameCluster() (any, error) {
	r, err := x.rename(control.Kafka)
	if err != nil {
		return nil, err
	}
	return x.cluster(r)
}

func (x *exchange) resetCluster() (any, error) {
	r, err := x.reset(control.Kafka)
	if err != nil {
		return nil, err
	}
	return x.cluster(r)
}

// topic is a topic as the API shows it.
type topic struct {
	ID             string `json:"topic_id"`
	Name           string `json:"topic_name"`
	ClusterID      string `json:"cluster_id"`
	Region         string `json:"region"`
	CreationTime   int64  `json:"creation_time"` // Unix seconds
	State          string `json:"state"`
	Partitions     int    `json:"partitions"`
	Multizone      bool   `json:"multizone"`
	TCPEndpoint    string `json:"tcp_endpoint"`
	RestEndpoint   string `json:"rest_endpoint"`
	Username       string `json:"username"`
	Password       string `json:"password"`
	CleanupPolicy  string `json:"cleanup_policy"`
	RetentionSize  int64  `json:"retention_size"` // bytes of a partition; -1: no limit
	RetentionTime  int64  `json:"retention_time"` // ms; -1: for ever
	MaxMessageSize int64  `json:"max_message_size"`
}

func (x *exchange) topic(of *cluster, t *kafka.Topic) *topic {
	out := &topic{
		ID: of.ID + "." + strconv.FormatInt(t.Number(), 10), Name: t.Name, ClusterID: of.ID, Region: of.Region,
		CreationTime: t.CreatedAt.Unix(), State: "active", Partitions: t.Partitions, Multizone: of.Multizone,
		TCPEndpoint: of.TCPEndpoint, RestEndpoint: of.RestEndpoint, Username: of.Username, Password: of.Password,
		CleanupPolicy: t.CleanupPolicy(), RetentionSize: cmp.Or(t.RetentionBytes, noLimit), RetentionTime: noLimit, MaxMessageSize: int64(t.MaxMessageBytes),
	}
	if t.Retention > 0 {
		out.RetentionTime = t.Retention.Milliseconds()
	}
	return out
}

// opened is a cluster of the caller's.
type opened struct {
	resource *control.Resource
	own      *kafka.Cluster
	shown    *cluster
}

func (x *exchange) open(id string) (*opened, error) {
	r, err := x.resource(id, control.Kafka)
	if err != nil {
		return nil, err
	}
	own, err := x.cfg.Kafka.Cluster(x.ctx, r.ID)
	if err != nil {
		return nil, err
	}
	shown, err := x.cluster(r)
	return &opened{r, own, shown}, err
}

// topicSettings are the settings of a topic as they are sent. -1 asks for as much as there is.
type topicSettings struct {
	Partitions     *int   `json:"partitions"`
	RetentionTime  *int64 `json:"retention_time"`
	RetentionSize  *int64 `json:"retention_size"`
	MaxMessageSize *int64 `json:"max_message_size"`
	CleanupPolicy  string `json:"cleanup_policy"`
}

// maxMillis is the greatest number of milliseconds in a time.Duration.
const maxMillis = int64(1<<63-1) / int64(time.Millisecond)

func (in topicSettings) apply(o *kafka.TopicOptions) error {
	if in.CleanupPolicy != "" {
		if err := o.SetCleanupPolicy(in.CleanupPolicy); err != nil {
			return badRequest("cleanup_policy must be delete, compact or compact,delete")
		}
	}
	if in.Partitions != nil {
		if o.Partitions = *in.Partitions; o.Partitions < 1 {
			return badRequest("partitions must be at least 1")
		}
	}
	if v := in.RetentionTime; v != nil {
		switch {
		case *v == noLimit, *v > maxMillis:
			o.Retention = -1
		case *v < 1:
			return badRequest("retention_time must be positive, or -1")
		default:
			o.Retention = time.Duration(*v) * time.Millisecond
		}
	}
	if v := in.RetentionSize; v != nil {
		if *v != noLimit && *v < 1 {
			return badRequest("retention_size must be positive, or -1")
		}
		o.RetentionBytes = max(*v, 0)
	}
	if v := in.MaxMessageSize; v != nil {
		switch {
		case *v == noLimit:
			o.MaxMessageBytes = kafka.MaxMessageBytes
		case *v < 1 || *v > kafka.MaxMessageBytes:
			return badRequest("max_message_size must be from 1 to %d, or -1", kafka.MaxMessageBytes)
		default:
			o.MaxMessageBytes = int(*v)
		}
	}
	return nil
}

func (x *exchange) createTopic() (any, error) {
	var in struct {
		Name      string `json:"name"`
		ClusterID string `json:"cluster_id"`
		topicSettings
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	of, err := x.open(in.ClusterID)
	if err != nil {
		return nil, err
	}
	var o kafka.TopicOptions
	if err := in.apply(&o); err != nil {
		return nil, err
	}
	t, err := x.cfg.Kafka.CreateTopic(x.ctx, of.own, in.Name, o)
	if err != nil {
		return nil, err
	}
	return x.topic(of.shown, t), nil
}

func (x *exchange) topics() (any, error) {
	of, err := x.open(x.ids[0])
	if err != nil {
		return nil, err
	}
	all, err := x.cfg.Kafka.Topics(x.ctx, of.own)
	if err != nil {
		return nil, err
	}
	out := make([]*topic, len(all))
	for i, t := range all {
		out[i] = x.topic(of.shown, t)
	}
	return out, nil
}

// findTopic finds the topic that the path names.
func (x *exchange) findTopic() (*opened, *kafka.Topic, error) {
	none := edge.Refuse(http.StatusNotFound, "topic not found")
	clusterID, number, ok := strings.Cut(x.ids[0], ".")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return nil, nil, none
	}
	of, err := x.open(clusterID)
	if err != nil {
		return nil, nil, err
	}
	all, err := x.cfg.Kafka.Topics(x.ctx, of.own)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range all {
		if t.Number() == n {
			return of, t, nil
		}
	}
	return nil, nil, none
}

func (x *exchange) getTopic() (any, error) {
	of, t, err := x.findTopic()
	if err != nil {
		return nil, err
	}
	return x.topic(of.shown, t), nil
}

func (x *exchange) updateTopic() (any, error) {
	of, t, err := x.findTopic()
	if err != nil {
		return nil, err
	}
	var in topicSettings
	if err := x.body(&in); err != nil {
		return nil, err
	}
	var wrong error
	t, err = x.cfg.Kafka.UpdateTopic(x.ctx, of.own, t.Name, func(o *kafka.TopicOptions) {
		before := *o
		if wrong = in.apply(o); wrong != nil {
			*o = before
		}
	})
	if wrong != nil {
		return nil, wrong
	}
	if err != nil {
		return nil, err
	}
	return x.topic(of.shown, t), nil
}

func (x *exchange) deleteTopic() (any, error) {
	of, t, err := x.findTopic()
	if err != nil {
		return nil, err
	}
	return done, x.cfg.Kafka.DeleteTopic(x.ctx, of.own, t.Name)
}

// recordOffset is a place in a partition of the topic that a path names.
type recordOffset struct {
	Partition int   `json:"partition"`
	Offset    int64 `json:"offset"`
}

// deleteRecords makes what is below offsets of a topic unreadable, as Kafka's DeleteRecords does. -1
// stands for the end. The answer says where the partitions start then.
func (x *exchange) deleteRecords() (any, error) {
	of, t, err := x.findTopic()
	if err != nil {
		return nil, err
	}
	var in []recordOffset
	if err := x.body(&in); err != nil {
		return nil, err
	}
	below := make([]kafka.TopicOffset, len(in))
	for i, o := range in {
		below[i] = kafka.TopicOffset{TopicPartition: kafka.TopicPartition{Topic: t.Name, Partition: o.Partition}, Offset: o.Offset}
	}
	starts, err := x.cfg.Kafka.DeleteRecords(x.ctx, of.own, below)
	if err != nil {
		return nil, err
	}
	out := make([]recordOffset, len(starts))
	for i, s := range starts {
		out[i] = recordOffset{s.Partition, s.Offset}
	}
	return out, nil
}

// kafkaCredential is a credential of a cluster as the API shows it.
type kafkaCredential struct {
	ID           string `json:"credential_id"`
	Name         string `json:"credential_name"`
	Topic        string `json:"topic"`
	Permissions  string `json:"permissions"`
	ClusterID    string `json:"cluster_id"`
	ClusterSlug  string `json:"cluster_slug"`
	Username     string `json:"username"`
	Password     string `json:"password"`
	CreationTime int64  `json:"creation_time"` // Unix seconds
	State        string `json:"state"`
}

func (x *exchange) kafkaCredential(r *control.Resource, cred *control.Credential) (*kafkaCredential, error) {
	t, err := x.cfg.Engine.Token(x.ctx, x.acct.ID, r.ID, cred.ID)
	if err != nil {
		return nil, err
	}
	topics := cmp.Or(cred.Topics, token.TopicRule{Permission: token.PermitAll, Topics: "*"})
	return &kafkaCredential{
		ID: r.ID + "." + cred.ID, Name: cred.Name, Topic: topics.Topics, Permissions: strings.ToUpper(string(topics.Permission)),
		ClusterID: r.ID, ClusterSlug: r.Name, Username: t.Username, Password: t.Text, CreationTime: cred.CreatedAt.Unix(), State: "active",
	}, nil
}

func (x *exchange) createCredential() (any, error) {
	var in struct {
		Name        string `json:"credential_name"`
		ClusterID   string `json:"cluster_id"`
		Topic       string `json:"topic"`
		Permissions string `json:"permissions"`
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	r, err := x.resource(in.ClusterID, control.Kafka)
	if err != nil {
		return nil, err
	}
	rule := token.TopicRule{Permission: token.Permission(strings.ToLower(in.Permissions)), Topics: cmp.Or(in.Topic, "*")}
	cred, err := x.cfg.Engine.Issue(x.ctx, x.acct.ID, r.ID, control.CredentialOptions{Name: in.Name, Topics: rule})
	if err != nil {
		return nil, err
	}
	return x.kafkaCredential(r, cred)
}

func (x *exchange) kafkaCredentials() (any, error) {
	resources, err := x.resources(control.Kafka)
	if err != nil {
		return nil, err
	}
	out := []*kafkaCredential{}
	for _, r := range resources {
		all, err := x.cfg.Engine.Credentials(x.ctx, x.acct.ID, r.ID)
		if err != nil {
			return nil, err
		}
		for i := range all {
			if all[i].Default {
				continue
			}
			shown, err := x.kafkaCredential(r, &all[i])
			if err != nil {
				return nil, err
			}
			out = append(out, shown)
		}
	}
	return out, nil
}

func (x *exchange) deleteCredential() (any, error) {
	clusterID, id, ok := strings.Cut(x.ids[0], ".")
	if !ok {
		return nil, edge.Refuse(http.StatusNotFound, "credential not found")
	}
	r, err := x.resource(clusterID, control.Kafka)
	if err != nil {
		return nil, err
	}
	return done, x.cfg.Engine.Revoke(x.ctx, x.acct.ID, r.ID, id)
}
