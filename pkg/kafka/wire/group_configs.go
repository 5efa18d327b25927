package wire

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/token"
)

// groupSetting is a configuration of groups: a time, in milliseconds.
type groupSetting struct {
	name    string
	of      func(*kafka.GroupSettings) *time.Duration
	initial time.Duration
}

// groupSettings are the configurations of groups, which those of the consumer protocol go by.
var groupSettings = []groupSetting{
	{"consumer.heartbeat.interval.ms", func(s *kafka.GroupSettings) *time.Duration { return &s.Interval }, kafka.DefaultConsumerInterval},
	{"consumer.session.timeout.ms", func(s *kafka.GroupSettings) *time.Duration { return &s.Session }, kafka.DefaultConsumerSession},
}

func (x *exchange) describeGroupConfigs(ctx context.Context, r *kmsg.DescribeConfigsRequestResource, out *kmsg.DescribeConfigsResponseResource) refusal {
	if code := x.mayUse(ctx, r.ResourceName); code != 0 {
		return refusal{code: code}
	}
	s, err := x.s.engine.GroupSettings(ctx, x.Cluster, r.ResourceName)
	if err != nil {
		return x.adminError(err)
	}
	for _, setting := range groupSettings {
		if !isAsked(r.ConfigNames, setting.name) {
			continue
		}
		at := *setting.of(&s)
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.Value, c.ConfigType = setting.name, kmsg.StringPtr(strconv.FormatInt(at.Milliseconds(), 10)), kmsg.ConfigTypeInt
		if c.Source = kmsg.ConfigSourceGroupConfig; at == setting.initial {
			c.Source, c.IsDefault = kmsg.ConfigSourceDefaultConfig, true
		}
		out.Configs = append(out.Configs, c)
	}
	return refusal{}
}

func (x *exchange) changeGroupConfigs(ctx context.Context, r *kmsg.IncrementalAlterConfigsRequestResource, validateOnly bool) kmsg.IncrementalAlterConfigsResponseResource {
	out := kmsg.NewIncrementalAlterConfigsResponseResource()
	refused := x.changeGroup(ctx, r, validateOnly)
	out.ResourceType, out.ResourceName, out.ErrorCode, out.ErrorMessage = r.ResourceType, r.ResourceName, refused.code, refused.text
	return out
}

func (x *exchange) changeGroup(ctx context.Context, r *kmsg.IncrementalAlterConfigsRequestResource, validateOnly bool) refusal {
	if code := x.mayUse(ctx, r.ResourceName); code != 0 {
		return refusal{code: code}
	}
	if x.Claims.Scope != token.ReadWrite {
		return x.refuse(kerr.GroupAuthorizationFailed, "the credential is read-only")
	}
	s, err := x.s.engine.GroupSettings(ctx, x.Cluster, r.ResourceName)
	if err != nil {
		return x.adminError(err)
	}
	for _, c := range r.Configs {
		i := slices.IndexFunc(groupSettings, func(s groupSetting) bool { return s.name == c.Name })
		if i < 0 {
			return x.refuse(kerr.InvalidConfig, "groups have no configuration "+c.Name)
		}
		to := groupSettings[i].initial
		switch {
		case c.Op == kmsg.IncrementalAlterConfigOpSet && c.Value != nil:
			ms, err := strconv.ParseInt(*c.Value, 10, 32)
			if err != nil {
				return x.refuse(kerr.InvalidConfig, c.Name+" must be a number of milliseconds")
			}
			to = time.Duration(ms) * time.Millisecond
		case c.Op != kmsg.IncrementalAlterConfigOpDelete:
			return x.refuse(kerr.InvalidConfig, c.Name+" is no list, and has no null")
		}
		*groupSettings[i].of(&s) = to
	}
	if err := s.Check(); err != nil {
		return x.refuse(kerr.InvalidConfig, err.Error())
	}
	if validateOnly {
		return refusal{}
	}
	err = x.s.engine.SetGroupSettings(ctx, x.Cluster, r.ResourceName, s)
	var refused *kafka.Error
	if errors.As(err, &refused) {
		return x.refuse(kerr.InvalidConfig, refused.Text)
	}
	return x.adminError(err)
}
