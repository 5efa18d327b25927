package attack

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// Each of n tokens of one resource that were taken back is refused. The 1,001st used to go on opening it.
func testRevocations(t *testing.T, a *target, resource string, n int, opens func(user, token string) answer) {
	const atATime, atOnce = 20, 4 // a resource has 500 credentials at most
	type credential struct{ id, user, token string }
	all := make([]credential, n)
	each := func(of []credential, do func(c *credential)) {
		var wg sync.WaitGroup
		for i := range atOnce {
			wg.Go(func() {
				for j := i; j < len(of); j += atOnce {
					do(&of[j])
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			t.FailNow()
		}
	}
	issue := func(c *credential) {
		r := a.manage("POST", "/v2/skystash/credentials/"+resource, map[string]any{"name": "c"})
		var fields struct{ ID, Token, Username string }
		if err := json.Unmarshal([]byte(r.body), &fields); err != nil || r.status != http.StatusOK {
			t.Errorf("issuing a credential of %s: %s", resource, r)
			return
		}
		*c = credential{fields.ID, fields.Username, fields.Token}
	}
	var kept credential
	issue(&kept)
	for some := range slices.Chunk(all, atATime) {
		each(some, issue)
		// Some are used before, so that the server has seen them.
		if r := opens(some[0].user, some[0].token); r.status >= 300 {
			t.Fatalf("a credential of %s opens nothing: %s", resource, r)
		}
		each(some, func(c *credential) {
			if r := a.manage("DELETE", "/v2/skystash/credentials/"+resource+"/"+c.id, nil); r.status != http.StatusOK {
				t.Errorf("revoking a credential of %s: %s", resource, r)
			}
		})
	}
	a.eventually(http.StatusUnauthorized, func() answer { return opens(all[n-1].user, all[n-1].token) })
	each(all, func(c *credential) {
		if r := opens(c.user, c.token); r.status != http.StatusUnauthorized {
			t.Errorf("a revoked credential of %s is answered %s", resource, r)
		}
	})
	if r := opens(kept.user, kept.token); r.status >= 300 {
		t.Errorf("a credential of %s that was not revoked is answered %s", resource, r)
	}
}

func revocations(t *testing.T, binary string) {
	a := newTarget(t, binary)
	for resource, opens := range map[string]func(a *target, user, token string) answer{
		"default":       func(a *target, _, token string) answer { return a.do(token, "PING") },
		"default-kafka": func(a *target, user, token string) answer { return a.kafka(login{user, token}, "GET", "/topics", "") },
		"default-qstash": func(a *target, _, token string) answer {
			return a.send("GET", a.qstashURL()+"/v2/topics", nil, "Authorization", "Bearer "+token)
		},
	} {
		t.Run(resource, func(t *testing.T) {
			a := a.with(t)
			n := 5000
			if resource == "default-kafka" {
				n = 1500 // each makes passwords for SCRAM, which are meant to take their time
			}
			testRevocations(t, a, resource, n, func(user, token string) answer { return opens(a, user, token) })
		})
	}
}
