package operator

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/skystash/skystash/pkg/meter/price"
	"github.com/skystash/skystash/pkg/meter/price/stack"
)

// printCost says what a synthesised app costs.
func printCost(_ context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	dir := flags.String("app", "build/cdk.out", "folder that ./scripts/cdk synth has written to")
	release := flags.String("release", "", "date (YYYY-MM-DD) of a release: fail if prices are older than half a year by then")
	if err := Parse(flags, args); err != nil {
		return err
	}
	list := price.Prices()
	if *release != "" {
		day, err := time.Parse(time.DateOnly, *release)
		if err != nil {
			return fmt.Errorf("cost: -release: %w", err)
		}
		return list.Check(day)
	}
	if err := list.Check(time.Now()); err != nil {
		fmt.Fprintln(stderr, "Note:", err)
	}
	stacks, err := stack.Read(*dir)
	if err != nil {
		return fmt.Errorf("cost: %w", err)
	}
	bills, err := stack.Idle(list, stacks)
	if err != nil {
		return fmt.Errorf("cost: %w", err)
	}
	return writeCost(stdout, list, bills)
}

func writeCost(to io.Writer, list *price.List, bills map[string]price.Bill) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "While nobody calls, dollars a month (%s, prices of %s; storage is %.2f a GB, its backups %.2f):\n",
		list.Region, list.AsOf, list.AWS.DynamoDB.GBMonth, list.AWS.DynamoDB.RecoveryGBMonth)
	total := 0.0
	for _, name := range slices.Sorted(maps.Keys(bills)) {
		b := bills[name]
		total += b.Total
		fmt.Fprintf(w, "%s\t%.2f\n", name, b.Total)
		for _, l := range b.Lines {
			fmt.Fprintf(w, "  %s\t%.2f\t%.0f %s\n", l.What, l.Dollars, l.Quantity, l.Unit)
		}
	}
	fmt.Fprintf(w, "together\t%.2f\n\n", total)
	fmt.Fprintf(w, "A million of\tfunction URL\tHTTP API\tUpstash\n")
	for _, e := range list.Examples() {
		d := list.Million(e.Request)
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\n", e.Name, d.Total(false), d.Total(true), e.Upstash)
	}
	return w.Flush()
}
