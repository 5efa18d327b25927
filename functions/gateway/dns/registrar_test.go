package dns_test

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/skystash/skystash/functions/gateway/dns"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/testenv/motolocal"
)

const name = "gateway.example.com"

// zone is a hosted zone, and a table that gateways are registered in.
type zone struct {
	client *route53.Client
	id     string
	table  store.Store
	now    time.Time
}

func newZone(t *testing.T) *zone {
	t.Helper()
	z := &zone{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	z.client = route53.New(route53.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(motolocal.Start(t)),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	made, err := z.client.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String(t.Name())})
	if err != nil {
		t.Fatal(err)
	}
	z.id = *made.HostedZone.Id
	table, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { table.Close() })
	z.table = table
	return z
}

func (z *zone) gateway(address string) *dns.Registrar {
	return dns.New(dns.Config{
		Store: z.table, Route53: z.client, Zone: z.id, Name: name, Address: netip.MustParseAddr(address),
		Now: func() time.Time { return z.now }, Log: slog.New(slog.DiscardHandler),
	})
}

// addresses are those of the name.
func (z *zone) addresses(t *testing.T) (out []string) {
	t.Helper()
	got, err := z.client.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &z.id})
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range got.ResourceRecordSets {
		if set.Type != types.RRTypeA {
			continue
		}
		if *set.Name != name+"." {
			t.Errorf("there is a record of %s", *set.Name)
		}
		for _, r := range set.ResourceRecords {
			out = append(out, *r.Value)
		}
	}
	slices.Sort(out)
	return out
}

func TestNameFollowsTheGateways(t *testing.T) {
	z := newZone(t)
	expect := func(when string, want ...string) {
		t.Helper()
		if got := z.addresses(t); !slices.Equal(got, want) {
			t.Errorf("%s the name is at %v, want %v", when, got, want)
		}
	}
	first, second, third := z.gateway("203.0.113.1"), z.gateway("203.0.113.2"), z.gateway("203.0.113.3")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect("before any gateway")
	must(first.Renew(t.Context()))
	expect("with one", "203.0.113.1")
	must(second.Renew(t.Context()))
	must(third.Renew(t.Context()))
	expect("with three", "203.0.113.1", "203.0.113.2", "203.0.113.3")

	// The first leaves, and the second is killed: it registers no more.
	must(first.Leave(t.Context()))
	expect("after one has left", "203.0.113.2", "203.0.113.3")
	z.now = z.now.Add(60 * time.Second)
	must(third.Renew(t.Context()))
	expect("while a killed one is still registered", "203.0.113.2", "203.0.113.3")
	z.now = z.now.Add(31 * time.Second)
	must(third.Renew(t.Context()))
	expect("after its registration has run out", "203.0.113.3")

	must(third.Leave(t.Context()))
	expect("after all have left")
	must(third.Leave(t.Context()))
	must(first.Renew(t.Context()))
	expect("after one came back", "203.0.113.1")
}

// Whoever writes last may have read before the others: the next look mends it.
func TestNameIsMended(t *testing.T) {
	z := newZone(t)
	g := z.gateway("203.0.113.9")
	if err := g.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := z.client.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: &z.id,
		ChangeBatch: &types.ChangeBatch{Changes: []types.Change{{
			Action: types.ChangeActionUpsert,
			ResourceRecordSet: &types.ResourceRecordSet{
				Name: aws.String(name), Type: types.RRTypeA, TTL: aws.Int64(60),
				ResourceRecords: []types.ResourceRecord{{Value: aws.String("203.0.113.77")}},
			},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := z.addresses(t); !slices.Equal(got, []string{"203.0.113.9"}) {
		t.Errorf("the name is at %v", got)
	}
}
