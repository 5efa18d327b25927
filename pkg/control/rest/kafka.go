package rest

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
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
	TCPEndpoint          string `json:"tcp_endpoint"`
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

func (c *call) cluster(r *control.Resource) (*cluster, error) {
	own, err := c.cfg.Kafka.Cluster(c.ctx, r.ID)
	if err != nil {
		return nil, err
	}
	t, _, err := c.defaults(r)
	if err != nil {
		return nil, err
	}
	host, _, _ := endpoint(r.URL)
	return &cluster{
		ID: r.ID, Name: r.Name, Region: r.Region, Type: "paid", Multizone: true, TCPEndpoint: host, RestEndpoint: host,
		State: "active", Username: t.Username, Password: t.Text, MaxRetentionSize: noLimit, MaxRetentionTime: noLimit,
		MaxMessagesPerSecond: noLimit, MaxMessageSize: kafka.MaxMessageBytes, MaxPartitions: own.MaxPartitions, CreationTime: r.CreatedAt.Unix(),
	}, nil
}

func (c *call) clusters() (any, error) {
	resources, err := c.resources(control.Kafka)
	if err != nil {
		return nil, err
	}
	out := make([]*cluster, len(resources))
	for i, r := range resources {
		if out[i], err = c.cluster(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *call) getCluster() (any, error) {
	r, err := c.resource(c.ids[0], control.Kafka)
	if err != nil {
		return nil, err
	}
	return c.cluster(r)
}

func (c *call) createCluster() (any, error) {
	var in struct {
		Name   string `json:"name"`
		Region string `json:"region"`
	}
	if err := c.body(&in); err != nil {
		return nil, err
	}
	if err := c.here(in.Region); err != nil {
		return nil, err
	}
	r, err := c.cfg.Engine.CreateCluster(c.ctx, c.acct.ID, control.CreateOptions{Name: in.Name})
	if err != nil {
		return nil, err
	}
	return c.cluster(r)
}

func (c *call) deleteCluster() (any, error) { return c.delete(control.Kafka) }

func (c *call) renameCluster() (any, error) {
	r, err := c.rename(control.Kafka)
	if err != nil {
		return nil, err
	}
	return c.cluster(r)
}

func (c *call) resetCluster() (any, error) {
	r, err := c.reset(control.Kafka)
	if err != nil {
		return nil, err
	}
	return c.cluster(r)
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

func (c *call) topic(of *cluster, t *kafka.Topic) *topic {
	out := &topic{
		ID: of.ID + "." + strconv.FormatInt(t.Number(), 10), Name: t.Name, ClusterID: of.ID, Region: of.Region,
		CreationTime: t.CreatedAt.Unix(), State: "active", Partitions: t.Partitions, Multizone: of.Multizone,
		TCPEndpoint: of.TCPEndpoint, RestEndpoint: of.RestEndpoint, Username: of.Username, Password: of.Password,
		CleanupPolicy: "delete", RetentionSize: cmp.Or(t.RetentionBytes, noLimit), RetentionTime: noLimit, MaxMessageSize: int64(t.MaxMessageBytes),
	}
	if t.Compact {
		out.CleanupPolicy = "compact"
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

func (c *call) open(id string) (*opened, error) {
	r, err := c.resource(id, control.Kafka)
	if err != nil {
		return nil, err
	}
	own, err := c.cfg.Kafka.Cluster(c.ctx, r.ID)
	if err != nil {
		return nil, err
	}
	shown, err := c.cluster(r)
	return &opened{r, own, shown}, err
}

// topicSettings are the settings of a topic as they are sent. -1 asks for as much as there is.
type topicSettings struct {
	Partitions     *int   `json:"partitions"`
	RetentionTime  *int64 `json:"retention_time"`
	RetentionSize  *int64 `json:"retention_size"`
	MaxMessageSize *int64 `json:"max_message_size"`
}

// maxMillis is the greatest number of milliseconds in a time.Duration.
const maxMillis = int64(1<<63-1) / int64(time.Millisecond)

func (in topicSettings) apply(o *kafka.TopicOptions) error {
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

func (c *call) createTopic() (any, error) {
	var in struct {
		Name          string `json:"name"`
		ClusterID     string `json:"cluster_id"`
		CleanupPolicy string `json:"cleanup_policy"`
		topicSettings
	}
	if err := c.body(&in); err != nil {
		return nil, err
	}
	of, err := c.open(in.ClusterID)
	if err != nil {
		return nil, err
	}
	var o kafka.TopicOptions
	if err := in.apply(&o); err != nil {
		return nil, err
	}
	switch in.CleanupPolicy {
	case "", "delete":
	case "compact":
		o.Compact = true
	default:
		return nil, badRequest("cleanup_policy must be delete or compact")
	}
	t, err := c.cfg.Kafka.CreateTopic(c.ctx, of.own, in.Name, o)
	if err != nil {
		return nil, err
	}
	return c.topic(of.shown, t), nil
}

func (c *call) topics() (any, error) {
	of, err := c.open(c.ids[0])
	if err != nil {
		return nil, err
	}
	all, err := c.cfg.Kafka.Topics(c.ctx, of.own)
	if err != nil {
		return nil, err
	}
	out := make([]*topic, len(all))
	for i, t := range all {
		out[i] = c.topic(of.shown, t)
	}
	return out, nil
}

// findTopic finds the topic that the path names.
func (c *call) findTopic() (*opened, *kafka.Topic, error) {
	none := &refusal{http.StatusNotFound, "topic not found"}
	clusterID, number, ok := strings.Cut(c.ids[0], ".")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return nil, nil, none
	}
	of, err := c.open(clusterID)
	if err != nil {
		return nil, nil, err
	}
	all, err := c.cfg.Kafka.Topics(c.ctx, of.own)
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

func (c *call) getTopic() (any, error) {
	of, t, err := c.findTopic()
	if err != nil {
		return nil, err
	}
	return c.topic(of.shown, t), nil
}

func (c *call) updateTopic() (any, error) {
	of, t, err := c.findTopic()
	if err != nil {
		return nil, err
	}
	var in topicSettings
	if err := c.body(&in); err != nil {
		return nil, err
	}
	var wrong error
	t, err = c.cfg.Kafka.UpdateTopic(c.ctx, of.own, t.Name, func(o *kafka.TopicOptions) {
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
	return c.topic(of.shown, t), nil
}

func (c *call) deleteTopic() (any, error) {
	of, t, err := c.findTopic()
	if err != nil {
		return nil, err
	}
	return done, c.cfg.Kafka.DeleteTopic(c.ctx, of.own, t.Name)
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

func (c *call) kafkaCredential(r *control.Resource, cred *control.Credential) (*kafkaCredential, error) {
	t, err := c.cfg.Engine.Token(c.ctx, c.acct.ID, r.ID, cred.ID)
	if err != nil {
		return nil, err
	}
	topics := cmp.Or(cred.Topics, token.TopicRule{Permission: token.PermitAll, Topics: "*"})
	return &kafkaCredential{
		ID: r.ID + "." + cred.ID, Name: cred.Name, Topic: topics.Topics, Permissions: strings.ToUpper(string(topics.Permission)),
		ClusterID: r.ID, ClusterSlug: r.Name, Username: t.Username, Password: t.Text, CreationTime: cred.CreatedAt.Unix(), State: "active",
	}, nil
}

func (c *call) createCredential() (any, error) {
	var in struct {
		Name        string `json:"credential_name"`
		ClusterID   string `json:"cluster_id"`
		Topic       string `json:"topic"`
		Permissions string `json:"permissions"`
	}
	if err := c.body(&in); err != nil {
		return nil, err
	}
	r, err := c.resource(in.ClusterID, control.Kafka)
	if err != nil {
		return nil, err
	}
	rule := token.TopicRule{Permission: token.Permission(strings.ToLower(in.Permissions)), Topics: cmp.Or(in.Topic, "*")}
	cred, err := c.cfg.Engine.Issue(c.ctx, c.acct.ID, r.ID, control.CredentialOptions{Name: in.Name, Topics: rule})
	if err != nil {
		return nil, err
	}
	return c.kafkaCredential(r, cred)
}

func (c *call) kafkaCredentials() (any, error) {
	resources, err := c.resources(control.Kafka)
	if err != nil {
		return nil, err
	}
	out := []*kafkaCredential{}
	for _, r := range resources {
		all, err := c.cfg.Engine.Credentials(c.ctx, c.acct.ID, r.ID)
		if err != nil {
			return nil, err
		}
		for i := range all {
			if all[i].Default {
				continue
			}
			shown, err := c.kafkaCredential(r, &all[i])
			if err != nil {
				return nil, err
			}
			out = append(out, shown)
		}
	}
	return out, nil
}

func (c *call) deleteCredential() (any, error) {
	clusterID, id, ok := strings.Cut(c.ids[0], ".")
	if !ok {
		return nil, &refusal{http.StatusNotFound, "credential not found"}
	}
	r, err := c.resource(clusterID, control.Kafka)
	if err != nil {
		return nil, err
	}
	return done, c.cfg.Engine.Revoke(c.ctx, c.acct.ID, r.ID, id)
}
