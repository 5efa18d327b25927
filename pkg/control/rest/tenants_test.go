package rest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestTenantsDoNotReachEachOther calls every operation that takes an id with those of another
// account.
func TestTenantsDoNotReachEachOther(t *testing.T) {
	a := newAPI(t)
	alice, bob := a.as("alice@example.com"), a.as("bob@example.com")
	type ids struct{ db, cluster, topic, credential, qstash, issued string }
	create := func(who *api) (x ids) {
		x.db = who.ok("POST", "/redis/database", map[string]any{"database_name": "same"})["database_id"].(string)
		x.cluster = who.ok("POST", "/kafka/cluster", map[string]any{"name": "same"})["cluster_id"].(string)
		x.topic = who.ok("POST", "/kafka/topic", map[string]any{"name": "same", "cluster_id": x.cluster})["topic_id"].(string)
		x.credential = who.ok("POST", "/kafka/credential", map[string]any{"credential_name": "c", "cluster_id": x.cluster, "permissions": "ALL"})["credential_id"].(string)
		x.qstash = who.ok("POST", "/skystash/qstash", map[string]any{"name": "same"})["id"].(string)
		x.issued = who.ok("POST", "/skystash/credentials/"+x.db, map[string]any{"name": "c"})["id"].(string)
		return x
	}
	hers, his := create(alice), create(bob)

	body := map[string]any{
		"name": "x", "budget": 1, "read_regions": []string{}, "partitions": 9, "daily_requests": 1, "monthly_budget": 1,
		"cluster_id": hers.cluster, "credential_name": "x", "permissions": "ALL",
	}
	for _, r := range routes() {
		var targets []string
		switch {
		case r.path == "/kafka/topic" && r.method == http.MethodPost, r.path == "/kafka/credential" && r.method == http.MethodPost:
			targets = []string{""}
		case !strings.Contains(r.path, "{"):
			continue
		case strings.Contains(r.path, "apikeys"):
			targets = []string{alice.list("/skystash/apikeys", "id")[0]}
		case strings.Contains(r.path, "signing-keys"):
			bob.refused(http.StatusForbidden, r.method, strings.Replace(r.path, "{id}", a.list("/skystash/signing-keys", "id")[0], 1), nil)
			continue
		default:
			targets = []string{hers.db, hers.cluster, hers.topic, hers.credential, hers.qstash}
		}
		for _, target := range targets {
			path := strings.NewReplacer("{resource}", target, "/{id}", "/"+target).Replace(r.path)
			if r.path == "/skystash/credentials/{resource}/{id}" {
				path = "/skystash/credentials/" + target + "/" + hers.issued
			}
			bob.refused(http.StatusNotFound, r.method, path, body)
		}
	}
	// Her credential's id with his resource, his cluster's id with her topic's number.
	bob.refused(http.StatusNotFound, "GET", "/skystash/credentials/"+his.db+"/"+hers.issued, nil)
	_, credential, _ := strings.Cut(hers.credential, ".")
	bob.refused(http.StatusNotFound, "DELETE", "/kafka/credential/"+his.cluster+"."+credential, nil)
	bob.refused(http.StatusForbidden, "POST", "/skystash/signing-keys", nil)

	for _, list := range []struct{ path, field, want string }{
		{"/redis/databases", "database_id", hers.db}, {"/kafka/clusters", "cluster_id", hers.cluster}, {"/kafka/credentials", "credential_id", hers.credential},
		{"/qstash/users", "id", hers.qstash}, {"/kafka/topics/" + hers.cluster, "topic_id", hers.topic},
	} {
		if got := alice.list(list.path, list.field); !slices.Equal(got, []string{list.want}) {
			t.Errorf("%s lists %v to her", list.path, got)
		}
	}
	if got := bob.ok("GET", "/qstash/user", nil); got["id"] != his.qstash {
		t.Errorf("his QStash is %v", got["id"])
	}
	if got := alice.ok("GET", "/redis/database/"+hers.db, nil); got["database_name"] != "same" || got["budget"].(interface{ String() string }).String() != "0" {
		t.Errorf("her database has become %v", got)
	}
}
