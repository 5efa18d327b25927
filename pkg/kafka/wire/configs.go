package wire

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
)

// settingNames are the names of all settings of topics, in order.
var settingNames = slices.Sorted(maps.Keys(settings))

func (x *exchange) describeConfigs(ctx context.Context, req *kmsg.DescribeConfigsRequest, resp *kmsg.DescribeConfigsResponse) error {
	for _, r := range req.Resources {
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
		var refused refusal
		switch r.ResourceType {
		case kmsg.ConfigResourceTypeTopic:
			refused = x.describeTopicConfigs(ctx, req, &r, &out)
		case kmsg.ConfigResourceTypeBroker:
			refused = x.describeBrokerConfigs(ctx, &r, &out)
		case kmsg.ConfigResourceTypeGroupConfig:
			refused = x.describeGroupConfigs(ctx, &r, &out)
		default:
			refused = x.refuse(kerr.InvalidRequest, "only topics, groups and brokers have configurations")
		}
		out.ErrorCode, out.ErrorMessage = refused.code, refused.text
		resp.Resources = append(resp.Resources, out)
	}
	return nil
}

func isAsked(names []string, name string) bool { return names == nil || slices.Contains(names, name) }

func (x *exchange) describeTopicConfigs(ctx context.Context, req *kmsg.DescribeConfigsRequest, r *kmsg.DescribeConfigsRequestResource, out *kmsg.DescribeConfigsResponseResource) refusal {
	t, code, err := x.findTopic(ctx, r.ResourceName)
	switch {
	case err != nil:
		return x.adminError(err)
	case code != 0:
		return refusal{code: code}
	}
	for _, name := range settingNames {
		if !isAsked(r.ConfigNames, name) {
			continue
		}
		value, own := valueOf(&t.TopicOptions, name)
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.Value, c.IsDefault, c.Source, c.ConfigType = name, &value, !own, isDefault, settings[name].kind
		if own {
			c.Source = fromTopic
		}
		if req.IncludeSynonyms {
			initial := settings[name].initial
			if own {
				c.ConfigSynonyms = append(c.ConfigSynonyms, kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{Name: name, Value: &value, Source: fromTopic})
			}
			c.ConfigSynonyms = append(c.ConfigSynonyms, kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{Name: name, Value: &initial, Source: isDefault})
		}
		out.Configs = append(out.Configs, c)
	}
	return refusal{}
}

func (x *exchange) describeBrokerConfigs(ctx context.Context, r *kmsg.DescribeConfigsRequestResource, out *kmsg.DescribeConfigsResponseResource) refusal {
	if r.ResourceName != "" && !x.brokers(ctx).has(r.ResourceName) {
		return x.refuse(kerr.InvalidRequest, "there is no such broker")
	}
	for _, name := range slices.Sorted(maps.Keys(brokerSettings)) {
		if !isAsked(r.ConfigNames, name) {
			continue
		}
		value := brokerSettings[name]
		if name == brokerIDSetting {
			value = cmp.Or(r.ResourceName, strconv.Itoa(int(x.self())))
		}
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.Value, c.ReadOnly, c.Source, c.ConfigType = name, &value, true, fromBroker, kmsg.ConfigTypeString
		out.Configs = append(out.Configs, c)
	}
	return refusal{}
}

// edits are changes of a topic's settings.
type edits func(*kafka.TopicOptions) error

// changeConfigs changes a topic's settings. The error of edits is for the client.
func (x *exchange) changeConfigs(ctx context.Context, kind kmsg.ConfigResourceType, name string, validateOnly bool, change edits) refusal {
	if kind != kmsg.ConfigResourceTypeTopic {
		return x.refuse(kerr.InvalidRequest, "only configurations of topics can be changed")
	}
	if r, ok := x.mayChange(name); !ok {
		return r
	}
	t, err := x.s.engine.Topic(ctx, x.Cluster, name)
	if err != nil {
		return x.adminError(err)
	}
	o := t.TopicOptions
	if err := change(&o); err != nil {
		return x.refuse(kerr.InvalidConfig, err.Error())
	}
	if validateOnly {
		return refusal{}
	}
	_, err = x.s.engine.UpdateTopic(ctx, x.Cluster, name, func(o *kafka.TopicOptions) { _ = change(o) }) // it was tried
	return x.adminError(err)
}

// alterConfigs replaces all settings: those that are not named get their initial values.
func (x *exchange) alterConfigs(ctx context.Context, req *kmsg.AlterConfigsRequest, resp *kmsg.AlterConfigsResponse) error {
	for _, r := range req.Resources {
		refused := x.changeConfigs(ctx, r.ResourceType, r.ResourceName, req.ValidateOnly, func(o *kafka.TopicOptions) error {
			for _, name := range settingNames {
				if err := applySetting(o, name, nil); err != nil {
					return err
				}
			}
			for _, c := range r.Configs {
				if err := applySetting(o, c.Name, c.Value); err != nil {
					return err
				}
			}
			return nil
		})
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName, out.ErrorCode, out.ErrorMessage = r.ResourceType, r.ResourceName, refused.code, refused.text
		resp.Resources = append(resp.Resources, out)
	}
	return nil
}

func (x *exchange) incrementalAlterConfigs(ctx context.Context, req *kmsg.IncrementalAlterConfigsRequest, resp *kmsg.IncrementalAlterConfigsResponse) error {
	for _, r := range req.Resources {
		if r.ResourceType == kmsg.ConfigResourceTypeGroupConfig {
			resp.Resources = append(resp.Resources, x.changeGroupConfigs(ctx, &r, req.ValidateOnly))
			continue
		}
		refused := x.changeConfigs(ctx, r.ResourceType, r.ResourceName, req.ValidateOnly, func(o *kafka.TopicOptions) error {
			for _, c := range r.Configs {
				value := c.Value
				switch c.Op {
				case kmsg.IncrementalAlterConfigOpDelete:
					value = nil
				case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
					if settings[c.Name].kind == kmsg.ConfigTypeList && value != nil {
						was, _ := valueOf(o, c.Name)
						value = kmsg.StringPtr(editList(was, *value, c.Op == kmsg.IncrementalAlterConfigOpAppend))
					}
				}
				if err := applySetting(o, c.Name, value); err != nil {
					return err
				}
			}
			return nil
		})
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName, out.ErrorCode, out.ErrorMessage = r.ResourceType, r.ResourceName, refused.code, refused.text
		resp.Resources = append(resp.Resources, out)
	}
	return nil
}
