package rest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
)

// scrape reads the metrics as Prometheus does, by their names and labels.
func (a *api) scrape(query, email, key string) (int, map[string]float64) {
	a.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics"+query, nil)
	r.SetBasicAuth(email, key)
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	found := map[string]float64{}
	if w.Code != http.StatusOK {
		return w.Code, nil
	}
	line := regexp.MustCompile(`^(skystash_[a-z_]+(?:\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)*\})?) (\S+)$`)
	for text := range strings.Lines(w.Body.String()) {
		if text = strings.TrimSuffix(text, "\n"); strings.HasPrefix(text, "# ") {
			continue
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			a.Fatalf("%q is no metric", text)
		}
		v, err := strconv.ParseFloat(m[2], 64)
		a.OK(err)
		found[m[1]] = v
	}
	return w.Code, found
}

func TestPrometheusReadsMetrics(t *testing.T) {
	a := newAPI(t)
	db, err := a.Control.CreateDatabase(t.Context(), a.Admin.ID, control.CreateOptions{Name: `a "name"`})
	a.OK(err)
	folder := meter.NewFolder(meter.FolderConfig{Store: a.Tables["control"], Now: a.Now})
	for i, took := range []time.Duration{time.Millisecond, 3 * time.Millisecond, time.Minute} {
		rec := meter.Record{Resource: meterOf(db), Class: meter.ClassRead, At: a.Now(), Duration: took, Status: 200, Commands: 2, ReadUnits: 0.5, BytesOut: 10}
		rec.Count([]meter.Ran{{Command: "get", Hits: 1}, {Command: "get", Error: "ERR no"}})
		_, err := folder.Fold(t.Context(), []meter.Entry{{Instance: "i", Number: int64(i), Sum: rec.Sum()}})
		a.OK(err)
	}
	key, text, err := a.Control.CreateMetricsKey(t.Context(), a.Admin.ID, "prometheus")
	a.OK(err)
	status, got := a.scrape("", a.email, text)
	of := `resource="` + db.ID + `",name="a \"name\"",product="redis"`
	for name, want := range map[string]float64{
		"skystash_commands_total{" + of + `,class="read"}`:                                    6,
		"skystash_errors_total{" + of + `,class="read"}`:                                      3,
		"skystash_read_units_total{" + of + `,class="read"}`:                                  1.5,
		"skystash_hits_total{" + of + "}":                                                     3,
		"skystash_request_duration_seconds_bucket{" + of + `,class="read",le="0.001048576"}`:  1,
		"skystash_request_duration_seconds_bucket{" + of + `,class="read",le="0.004194304"}`:  2,
		"skystash_request_duration_seconds_bucket{" + of + `,class="read",le="34.359738368"}`: 2,
		"skystash_request_duration_seconds_bucket{" + of + `,class="read",le="+Inf"}`:         3,
		"skystash_request_duration_seconds_count{" + of + `,class="read"}`:                    3,
		"skystash_request_duration_seconds_sum{" + of + `,class="read"}`:                      60.004,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v, %v, want %v", name, v, ok, want)
		}
	}
	if status != http.StatusOK || t.Failed() {
		t.Log(status, got)
	}
	if status, one := a.scrape("?resource="+db.ID, a.email, a.key); status != http.StatusOK || len(one) != len(got) {
		t.Errorf("the metrics of the only resource: %d, %d of %d", status, len(one), len(got))
	}

	// The key opens nothing else, and is nobody else's.
	if _, err := a.Control.Authenticate(t.Context(), a.email, text); !control.IsKind(err, control.Unauthorized) {
		t.Errorf("a key for metrics opens the account: %v", err)
	}
	other := a.as("other@example.com")
	for query, want := range map[string]int{"?resource=" + db.ID: http.StatusNotFound, "": http.StatusOK} {
		if status, found := a.scrape(query, other.email, other.key); status != want || len(found) > 0 {
			t.Errorf("%q of another account: %d, %d metrics", query, status, len(found))
		}
	}
	a.OK(a.Control.RevokeAPIKey(t.Context(), a.Admin.ID, key.ID))
	if status, _ := a.scrape("", a.email, text); status != http.StatusUnauthorized {
		t.Errorf("a key that was revoked: %d", status)
	}
}

// A key for metrics does not count as one that lets somebody in.
func TestTheLastKeyThatOpensStays(t *testing.T) {
	a := newAPI(t)
	_, _, err := a.Control.CreateMetricsKey(t.Context(), a.Admin.ID, "prometheus")
	a.OK(err)
	keys, err := a.Control.APIKeys(t.Context(), a.Admin.ID)
	a.OK(err)
	for _, k := range keys {
		if err := a.Control.RevokeAPIKey(t.Context(), a.Admin.ID, k.ID); k.Metrics != (err == nil) {
			t.Errorf("revoking %q: %v", k.Name, err)
		}
	}
}

// The dashboard asks for what there is.
func TestTheDashboardKnowsTheMetrics(t *testing.T) {
	text, err := os.ReadFile("../../../docs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil || len(dashboard.Panels) < 5 {
		t.Fatalf("%d panels, %v", len(dashboard.Panels), err)
	}
	there := map[string]bool{}
	for _, one := range counters {
		there["skystash_"+one.name] = true
	}
	for _, name := range []string{"request_duration_seconds_bucket", "hits_total", "misses_total", "storage_bytes", "month_cost_dollars", "kafka_lag"} {
		there["skystash_"+name] = true
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			names := regexp.MustCompile(`skystash_[a-z_]+`).FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%s asks for nothing: %s", p.Title, target.Expr)
			}
			for _, name := range names {
				if !there[name] {
					t.Errorf("%s asks for %s", p.Title, name)
				}
			}
		}
	}
}
