package token

import (
	"encoding/base64"
	"errors"
	"strings"
)

// ProductKafka names Kafka in a token's products. The token is the password of
// the credential; its resource is the cluster.
const ProductKafka = "kafka"

// Permission says what a Kafka credential may do with the topics it matches.
type Permission string

const (
	PermitAll     Permission = "all"
	PermitProduce Permission = "produce"
	PermitConsume Permission = "consume"
)

// TopicRule limits a Kafka credential. The zero rule permits everything.
type TopicRule struct {
	Permission Permission `json:"perm"`
	Topics     string     `json:"topics"` // a topic's name, or a prefix that ends in '*'
}

// Matches reports whether the rule speaks of a topic.
func (r TopicRule) Matches(topic string) bool {
	if r == (TopicRule{}) {
		return true
	}
	if prefix, ok := strings.CutSuffix(r.Topics, "*"); ok {
		return strings.HasPrefix(topic, prefix)
	}
	return r.Topics == topic
}

// GroupRule limits a Kafka credential to groups of consumers: a group's name, or a prefix that ends in
// '*'. The zero rule permits every group.
type GroupRule string

// Matches reports whether the rule permits a group.
func (r GroupRule) Matches(group string) bool {
	if prefix, ok := strings.CutSuffix(string(r), "*"); ok {
		return strings.HasPrefix(group, prefix)
	}
	return r == "" || string(r) == group
}

func (r GroupRule) check() error {
	if strings.Contains(strings.TrimSuffix(string(r), "*"), "*") {
		return errors.New("groups are neither a name nor a prefix with '*'")
	}
	return nil
}

func (r TopicRule) check() error {
	if r == (TopicRule{}) {
		return nil
	}
	if r.Permission != PermitAll && r.Permission != PermitProduce && r.Permission != PermitConsume {
		return errors.New("permission is none of all, produce and consume")
	}
	if r.Topics == "" || strings.Contains(strings.TrimSuffix(r.Topics, "*"), "*") {
		return errors.New("topics are neither a name nor a prefix with '*'")
	}
	return nil
}

// MayProduce reports whether a Kafka credential may produce to a topic.
func (c Claims) MayProduce(topic string) bool {
	return c.Scope == ReadWrite && c.Topics.Permission != PermitConsume && c.Topics.Matches(topic)
}

// MayConsume reports whether a Kafka credential may consume from a topic.
func (c Claims) MayConsume(topic string) bool {
	return c.Topics.Permission != PermitProduce && c.Topics.Matches(topic)
}

// KafkaUsername is the user name that goes with a token as the password. It names
// the cluster and the credential.
func (c Claims) KafkaUsername() string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.Resource + "$" + c.CredentialID))
}
