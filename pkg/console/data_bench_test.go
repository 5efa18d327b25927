package console

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/qstash"
)

// BenchmarkDataPages measures pages over 10,000 keys, 1,000 elements, 1,000 Kafka messages and 1,000
// QStash messages. They are to answer within 50 ms.
func BenchmarkDataPages(b *testing.B) {
	c := newTest(b)
	db, cluster, jobs := c.createDatabase("db"), c.createCluster("events"), c.createQStash("jobs")
	for i := range 10_000 {
		c.command(db, fmt.Sprintf("set user:%d:name value", i))
	}
	for i := range 1000 {
		c.command(db, fmt.Sprintf("hset hash field:%d value", i))
		c.command(db, fmt.Sprintf("zadd zset %d member:%d", i, i))
	}
	kc, err := c.kafka.Cluster(b.Context(), cluster.ID)
	c.ok(err)
	_, err = c.kafka.CreateTopic(b.Context(), kc, "orders", kafka.TopicOptions{Partitions: 8})
	c.ok(err)
	for i := range 1000 {
		_, err := c.kafka.Produce(b.Context(), kc, []kafka.NewMessage{{Topic: "orders", Partition: i % 8, Timestamp: -1, Value: []byte(`{"order": 1}`)}})
		c.ok(err)
	}
	for p := range 8 {
		c.produce(cluster, kafka.NewMessage{Topic: "orders", Partition: p, Timestamp: -1, Value: []byte(`{"order": 2}`)})
	}
	for range 1000 {
		c.publish(jobs, "https://a.example", qstash.Options{Delay: time.Hour})
	}
	u, err := url.Parse(c.server.URL + Base + "/")
	c.ok(err)
	cookies := c.client.Jar.Cookies(u)
	for _, path := range []string{
		"/r/{redis}/browser", "/r/{redis}/browser?match=user:99", "/r/{redis}/browser?key=hash", "/r/{redis}/browser?key=zset", "/r/{redis}/cli",
		"/r/{kafka}/topics", "/r/{kafka}/topics/orders", "/r/{kafka}/topics/orders?partition=1", "/r/{kafka}/groups",
		"/r/{qstash}/messages", "/r/{qstash}/schedules", "/r/{qstash}/queues", "/r/{qstash}/dlq", "/r/{qstash}/logs",
	} {
		b.Run(path, func(b *testing.B) {
			address := strings.NewReplacer("{redis}", db.ID, "{kafka}", cluster.ID, "{qstash}", jobs.ID).Replace(path)
			for b.Loop() {
				req := httptest.NewRequest("GET", Base+address, nil)
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
