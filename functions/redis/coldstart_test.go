package main

import (
	"net/http"
	"slices"
	"testing"

	"github.com/skystash/skystash/pkg/testenv/dynamotls"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

// A new instance opens one connection: its first request takes one TLS handshake, and two calls after
// each other. It cannot know where a key is before it knows the database's record.
func TestColdStartMakesOneHandshake(t *testing.T) {
	d := deploy(t)
	server := dynamotls.Start(t, d.variable(t, "DYNAMODB_ENDPOINT"))
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), append(d.env, server.Env()...)...)
	event := runtimetest.Event(t, "redis/get.json", "${TOKEN}", d.token)
	for _, want := range []dynamotls.Counts{
		{Connections: 1, Handshakes: 1, Calls: []string{"BatchGetItem", "GetItem"}},
		{}, // whatever it calls for the second request, it does not open a connection for that
	} {
		if got := invoke(t, fn, event); got.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
		got := server.Take()
		if got.Connections != want.Connections || got.Handshakes != want.Handshakes || want.Calls != nil && !slices.Equal(got.Calls, want.Calls) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}
