package dns

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/skystash/skystash/pkg/store"
)

const (
	partition = "gw"
	attrUntil = "u"

	registeredFor = 90 * time.Second
	lookEvery     = 30 * time.Second
	callTime      = 10 * time.Second // for all calls of a look
	timeToLive    = 15               // seconds that resolvers keep the name's addresses
)

// Route53 is what a Registrar needs of Route 53's client.
type Route53 interface {
	ListResourceRecordSets(context.Context, *route53.ListResourceRecordSetsInput, ...func(*route53.Options)) (*route53.ListResourceRecordSetsOutput, error)
	ChangeResourceRecordSets(context.Context, *route53.ChangeResourceRecordSetsInput, ...func(*route53.Options)) (*route53.ChangeResourceRecordSetsOutput, error)
}

// Config is what a Registrar is made of. All of it is needed.
type Config struct {
	Store   store.Store
	Route53 Route53
	Zone    string     // id of the hosted zone
	Name    string     // such as redis.example.com
	Address netip.Addr // of this gateway, IPv4
	Now     func() time.Time
	Log     *slog.Logger
}

// Registrar keeps the name for one gateway.
type Registrar struct{ cfg Config }

// New makes a Registrar.
func New(cfg Config) *Registrar { return &Registrar{cfg} }

// Run registers the gateway, and keeps the name right until the context ends. Then it takes the gateway out.
func (r *Registrar) Run(ctx context.Context) {
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		if err := r.Renew(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Log.Error("the gateway's name may be wrong", "name", r.cfg.Name, "error", err)
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			if err := r.Leave(context.WithoutCancel(ctx)); err != nil {
				r.cfg.Log.Warn("the gateway's name keeps its address until others see that it has gone", "name", r.cfg.Name, "error", err)
			}
			return
		}
	}
}

// Renew registers the gateway anew and makes the name right.
func (r *Registrar) Renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	until := r.cfg.Now().Add(registeredFor)
	attrs := store.NewAttrs(
		store.Attr{Name: attrUntil, Value: store.Int(until.UnixMilli())},
		store.Attr{Name: store.TTLAttr, Value: store.Int(until.Unix())},
	)
	if _, err := r.cfg.Store.Apply(ctx, store.Put(r.registration(), attrs, nil)); err != nil {
		return fmt.Errorf("registering the gateway: %w", err)
	}
	return r.point(ctx)
}

// Leave takes the gateway out of the register and out of the name.
func (r *Registrar) Leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if _, err := r.cfg.Store.Apply(ctx, store.Delete(r.registration(), nil)); err != nil {
		return fmt.Errorf("unregistering the gateway: %w", err)
	}
	return r.point(ctx)
}

func (r *Registrar) registration() store.Key {
	return store.Key{Partition: partition, Sort: r.cfg.Address.String()}
}

// registered are the addresses of the gateways that run, sorted.
func (r *Registrar) registered(ctx context.Context) (addresses []string, err error) {
	now := r.cfg.Now().UnixMilli()
	q := store.Query{Partition: partition}
	for {
		page, err := r.cfg.Store.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("reading which gateways run: %w", err)
		}
		for _, it := range page.Items {
			if it.Attrs.Get(attrUntil).Num() > now {
				addresses = append(addresses, it.Key.Sort)
			}
		}
		if !page.More {
			slices.Sort(addresses)
			return addresses, nil
		}
		q = q.Next(page)
	}
}

// point makes the name point to the gateways that run.
func (r *Registrar) point(ctx context.Context) error {
	want, err := r.registered(ctx)
	if err != nil {
		return err
	}
	have, err := r.record(ctx)
	if err != nil {
		return err
	}
	var change types.Change
	switch {
	case have != nil && slices.Equal(addressesOf(have), want), have == nil && len(want) == 0:
		return nil
	case len(want) == 0:
		change = types.Change{Action: types.ChangeActionDelete, ResourceRecordSet: have}
	default:
		set := &types.ResourceRecordSet{Name: &r.cfg.Name, Type: types.RRTypeA, TTL: aws.Int64(timeToLive)}
		for _, address := range want {
			set.ResourceRecords = append(set.ResourceRecords, types.ResourceRecord{Value: aws.String(address)})
		}
		change = types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: set}
	}
	_, err = r.cfg.Route53.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: &r.cfg.Zone,
		ChangeBatch:  &types.ChangeBatch{Changes: []types.Change{change}},
	})
	if err != nil {
		return fmt.Errorf("changing the record of %s: %w", r.cfg.Name, err)
	}
	r.cfg.Log.Info("the gateway's name has changed", "name", r.cfg.Name, "addresses", want)
	return nil
}

// record is the name's record; nil: there is none.
func (r *Registrar) record(ctx context.Context) (*types.ResourceRecordSet, error) {
	out, err := r.cfg.Route53.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{
		HostedZoneId: &r.cfg.Zone, StartRecordName: &r.cfg.Name, StartRecordType: types.RRTypeA, MaxItems: aws.Int32(1),
	})
	if err != nil {
		return nil, fmt.Errorf("reading the record of %s: %w", r.cfg.Name, err)
	}
	for _, set := range out.ResourceRecordSets {
		if strings.TrimSuffix(aws.ToString(set.Name), ".") == r.cfg.Name && set.Type == types.RRTypeA {
			return &set, nil
		}
	}
	return nil, nil
}

// addressesOf are a record's addresses, sorted.
func addressesOf(set *types.ResourceRecordSet) (addresses []string) {
	for _, record := range set.ResourceRecords {
		addresses = append(addresses, aws.ToString(record.Value))
	}
	slices.Sort(addresses)
	return addresses
}
