package operator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCostOfASynthesisedApp(t *testing.T) {
	dir := t.TempDir()
	var out, log strings.Builder
	if err := Run(t.Context(), "admin", []string{"cost", "-app", dir}, &out, &log); err == nil || !strings.Contains(err.Error(), "cdk synth") {
		t.Errorf("without an app: %v", err)
	}
	const template = `{"Resources":{"Stream":{"Type":"AWS::Kinesis::Stream","Properties":{"ShardCount":2}}}}`
	if err := os.WriteFile(filepath.Join(dir, "SkystashKafka.template.json"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), "admin", []string{"cost", "-app", dir}, &out, &log); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SkystashKafka", "21.90", "1460 hours", "GET, HGETALL", "2.00"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestPricesAreCheckedByTheDateOfARelease(t *testing.T) {
	var out, log strings.Builder
	if err := Run(t.Context(), "admin", []string{"cost", "-release", "2124-01-31"}, &out, &log); err == nil || !strings.Contains(err.Error(), "as_of") {
		t.Errorf("in a hundred years: %v", err)
	}
	if err := Run(t.Context(), "admin", []string{"cost", "-release", "2025-12-01"}, &out, &log); err != nil {
		t.Errorf("a month after the prices' own: %v", err)
	}
	if err := Run(t.Context(), "admin", []string{"cost", "-release", "soon"}, &out, &log); err == nil {
		t.Error("a release that has no date")
	}
}
