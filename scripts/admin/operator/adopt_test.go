package operator

import (
	"io"
	"slices"
	"testing"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

func TestAdopt(t *testing.T) {
	plane, _ := newDeployment(t)
	products, record := newDeployment(t)
	from := products[1]
	admin(t, slices.Concat([]string{"bootstrap"}, plane, []string{"-email", "admin@example.com"})...)
	admin(t, slices.Concat([]string{"create-user"}, plane, []string{"-email", "user@example.com"})...)
	ids := map[string]string{}
	for product, command := range map[string][]string{
		"redis": {"create-database", "-name", "orders"}, "kafka": {"create-kafka-cluster", "-name", "events"}, "qstash": {"create-account", "-id", "jobs"},
	} {
		ids[product], _ = admin(t, slices.Concat(command[:1], products, command[1:])...)
	}
	generation := record(ids["redis"]).CredentialGeneration
	adopt := func(args ...string) []string {
		return slices.Concat([]string{"adopt"}, plane, []string{"-email", "admin@example.com", "-from", from, "-region", "eu-central-1"}, args)
	}
	for product, id := range ids {
		for range 2 { // again is no fault
			if got, _ := admin(t, adopt("-product", product, "-id", id)...); got != id {
				t.Errorf("%s: adopt prints %q, want %q", product, got, id)
			}
		}
	}
	if got := record(ids["redis"]).CredentialGeneration; got != generation {
		t.Errorf("the generation of tokens was %d, and is %d", generation, got)
	}

	engine := control.New(control.Config{Store: dynamo.New(dynamolocal.Client(t), plane[1])})
	acct, err := engine.AccountOf(t.Context(), "admin@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for product, name := range map[string]string{"redis": "orders", "kafka": "events", "qstash": "jobs"} {
		r, err := engine.Resource(t.Context(), acct.ID, ids[product])
		if err != nil || r.Name != name || string(r.Product) != product || r.Region != "eu-central-1" {
			t.Errorf("%s: %+v, %v", product, r, err)
		}
	}

	for _, args := range [][]string{
		adopt("-product", "redis", "-id", "none"),
		adopt("-product", "kafka", "-id", ids["redis"]),
		adopt("-product", "vector", "-id", ids["redis"]),
		adopt("-product", "redis"),
		adopt("-product", "redis", "-id", ids["redis"], "-email", "nobody@example.com"),
		adopt("-product", "redis", "-id", ids["redis"], "-email", "user@example.com"), // it is another's
	} {
		if err := Run(t.Context(), "admin", args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q succeeds", args)
		}
	}
}
