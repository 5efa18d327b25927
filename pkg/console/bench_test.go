package console

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
)

// BenchmarkPages is how long pages take, of an account with 100 resources and a database that has been used
// in each hour of 90 days; the embedded store is in memory.
func BenchmarkPages(b *testing.B) {
	c := newTest(b)
	db := c.createDatabase("db")
	for i := range 99 {
		c.createDatabase(fmt.Sprint("db", i))
	}
	folder := meter.NewFolder(meter.FolderConfig{Store: c.store, Now: c.console.now})
	var entries []meter.Entry
	for h := range 90 * 24 {
		for i, class := range []string{meter.ClassRead, meter.ClassScript, meter.ClassWrite} {
			s := meter.Sum{Resource: usageOf(db), Class: class, Hour: c.now.Add(-time.Duration(h) * time.Hour), Counters: meter.Counters{Requests: 100, Commands: 120, BytesIn: 1e4, BytesOut: 2e4, ReadUnits: 50, WriteUnits: 20}}
			for l := range 30 {
				s.Latency.Add(time.Duration(l*l+1)*100*time.Microsecond, 3)
			}
			entries = append(entries, meter.Entry{Instance: "bench", Number: int64(3*h + i), Sum: s})
		}
	}
	_, err := folder.Fold(b.Context(), entries)
	c.ok(err)
	u, err := url.Parse(c.server.URL + Base + "/")
	c.ok(err)
	cookies := c.client.Jar.Cookies(u)
	for _, path := range []string{
		"/", "/new", "/r/{id}", "/r/{id}/credentials", "/r/{id}/credentials/new",
		"/r/{id}/usage?period=24h", "/r/{id}/usage?period=7d", "/r/{id}/usage?period=90d", "/r/{id}/settings", "/account",
	} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				req := httptest.NewRequest("GET", Base+strings.Replace(path, "{id}", db.ID, 1), nil)
				for _, k := range cookies {
					req.AddCookie(k)
				}
				w := httptest.NewRecorder()
				c.console.ServeHTTP(w, req)
				if w.Code != 200 {
					b.Fatalf("status %d", w.Code)
				}
			}
		})
	}
}

// BenchmarkNew is what a function does before its first answer.
func BenchmarkNew(b *testing.B) {
	c := newTest(b)
	for b.Loop() {
		if _, err := New(Config{Control: c.control, Store: c.store}); err != nil {
			b.Fatal(err)
		}
	}
}
