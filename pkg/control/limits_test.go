package control_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/controltest"
	"github.com/skystash/skystash/pkg/meter"
)

func TestWhatIsMeteredIsKnownWithoutTheProducts(t *testing.T) {
	w := controltest.New(t)
	limits := meter.Limits{DailyRequests: 10}
	r, err := w.Control.CreateDatabase(t.Context(), w.Admin.ID, control.CreateOptions{Name: "first", Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	alone := control.New(control.Config{Store: w.Tables["control"], Now: w.Now})
	id := meter.Resource{Product: "redis", ID: r.ID}
	if all, err := alone.Metered(t.Context()); err != nil || !slices.Equal(all, []meter.Resource{id}) {
		t.Errorf("metered: %v, %v", all, err)
	}
	for resource, want := range map[meter.Resource]meter.Limits{id: limits, {Product: "kafka", ID: r.ID}: {}, {Product: "redis", ID: "none"}: {}} {
		if got, err := alone.Limits(t.Context(), resource); err != nil || got != want {
			t.Errorf("%s: limits %+v, %v", resource, got, err)
		}
	}
}

func TestUsageIsDeletedWithItsResource(t *testing.T) {
	w := controltest.New(t)
	r, err := w.Control.CreateDatabase(t.Context(), w.Admin.ID, control.CreateOptions{Name: "first"})
	if err != nil {
		t.Fatal(err)
	}
	rec := meter.Record{Resource: meter.Resource{Product: "redis", ID: r.ID}, Class: meter.ClassRead, At: w.Now(), Commands: 1}
	folder := meter.NewFolder(meter.FolderConfig{Store: w.Tables["control"], Now: w.Now})
	if _, err := folder.Fold(t.Context(), []meter.Entry{{Instance: "i", Sum: rec.Sum()}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Control.Delete(t.Context(), w.Admin.ID, r.ID); err != nil {
		t.Fatal(err)
	}
	for _, key := range w.Tables["control"].Keys() {
		if strings.HasPrefix(key.Partition, "u") && key.Partition != "uii" {
			t.Errorf("left behind: %q", key)
		}
	}
}
