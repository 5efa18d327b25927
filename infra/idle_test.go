package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/meter/price"
	"github.com/skystash/skystash/pkg/meter/price/stack"
)

var update = flag.Bool("update", false, "write integration/bench/IDLE.md")

const idleFile = "../integration/bench/IDLE.md"

// synthesised are the templates of the whole app.
func synthesised(t *testing.T, context map[string]any) map[string]stack.Template {
	t.Helper()
	all := map[string]any{"tokenPublicKey": contract.PublishedOnly}
	maps.Copy(all, context)
	s := settingsOf(t, all)
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
	addStacks(app, s.cfg, s.kafka, s.gateway, s.control)
	templates := map[string]stack.Template{}
	for _, s := range *app.Synth(nil).Stacks() {
		text, err := json.Marshal(s.Template())
		if err != nil {
			t.Fatal(err)
		}
		if templates[*s.StackName()], err = stack.Parse(text); err != nil {
			t.Fatal(err)
		}
	}
	return templates
}

// idleBills are what the stacks cost while nobody calls.
func idleBills(t *testing.T, context map[string]any) map[string]price.Bill {
	t.Helper()
	bills, err := stack.Idle(price.Prices(), synthesised(t, context))
	if err != nil {
		t.Fatal(err)
	}
	return bills
}

func TestIdleCosts(t *testing.T) {
	all := idleBills(t, map[string]any{"products": "all"})
	var b strings.Builder
	list := price.Prices()
	fmt.Fprintf(&b, "# What a deployment costs while nobody calls\n\nWritten by `go test ./infra -run TestIdleCosts -update` and checked by the same test without the flag.\n"+
		"Dollars a month, by list prices of %s as of %s, of what `-c products=all` deploys; without it, there is no SkystashKafka. Storage is not in it, nor\n"+
		"are free tiers, but for ten alarms and three dashboards.\n\n| stack | dollars a month | of it |\n|---|---:|---|\n", list.Region, list.AsOf)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var of []string
		for _, l := range all[name].Lines {
			of = append(of, fmt.Sprintf("%s %.2f", l.What, l.Dollars))
		}
		fmt.Fprintf(&b, "| %s | %.2f | %s |\n", name, all[name].Total, strings.Join(of, "; "))
	}
	if *update {
		if err := os.WriteFile(idleFile, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(idleFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != b.String() {
		t.Errorf("%s says\n%s\nnot\n%s-update writes it", idleFile, text, b.String())
	}

	byDefault := idleBills(t, nil)
	if len(byDefault) != 3 {
		t.Errorf("%d stacks by default", len(byDefault))
	}
	for name, b := range byDefault {
		if b.Total > 0.50 {
			t.Errorf("%s costs %.2f a month while nobody calls: %+v", name, b.Total, b.Lines)
		}
	}
}

func TestWhatIsAskedForHasItsPrice(t *testing.T) {
	shard := price.MonthHours * price.Prices().AWS.Kinesis.ShardHour
	for _, tt := range []struct {
		context map[string]any
		stack   string
		least   float64
	}{
		{map[string]any{"meter": "stream"}, "SkystashControl", shard},
		{map[string]any{"products": "all", "kafkaShards": "3", "kafkaFanOut": "true"}, "SkystashKafka", 4 * shard},
		{map[string]any{"products": "all", "gatewayHost": "gateway.example.com", "gatewayZone": "Z1", "gatewayCount": "1"}, "SkystashGateway", 10},
		{map[string]any{"region": "us-east-1", "readRegions": "eu-west-1"}, "SkystashRedis-eu-west-1", 0},
	} {
		bill, ok := idleBills(t, tt.context)[tt.stack]
		if !ok || bill.Total < tt.least || bill.Total > tt.least+3 {
			t.Errorf("%v: %s costs %+v, want %.2f", tt.context, tt.stack, bill, tt.least)
		}
	}
}
