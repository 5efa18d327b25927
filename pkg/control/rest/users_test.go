package rest

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// A user of the access control list is listed with its maker, and every way of resetting a database ends it.
func TestResetsEndUsers(t *testing.T) {
	for _, reset := range []string{"/redis/reset-password/", "/skystash/reset/"} {
		t.Run(reset, func(t *testing.T) {
			a := newAPI(t)
			id := a.ok("POST", "/redis/database", map[string]any{"database_name": "db", "region": "global", "primary_region": "us-east-1"})["database_id"].(string)
			db, err := a.Redis.Database(t.Context(), id)
			a.OK(err)
			by := redis.Access{By: redis.Maker{Credential: "default", Generation: db.CredentialGeneration}}
			do := func(args ...string) string {
				t.Helper()
				var w resp.Writer
				a.OK(a.Redis.Do(t.Context(), db, by, args, &w))
				return string(w.Buf)
			}
			const password = "correct-horse-battery"
			do("ACL", "SETUSER", "evil", "on", ">"+password, "~*", "+@all")
			token := strings.Split(do("ACL", "RESTTOKEN", "evil", password), "\r\n")[1]
			if _, _, err := a.Redis.Authenticate(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			_, listed := a.call("GET", "/skystash/users/"+id, nil)
			text, err := json.Marshal(listed)
			a.OK(err)
			if want := `[{"credential":"default","enabled":true,"name":"evil","rules":["~*","+@all"]}]`; string(text) != want {
				t.Errorf("listed %s, want %s", text, want)
			}
			a.ok("POST", reset+id, nil)
			a.Advance(10 * time.Second)
			if _, _, err := a.Redis.Authenticate(t.Context(), token); !errors.Is(err, redis.ErrNoUser) {
				t.Errorf("after the reset, the user's token is answered %v", err)
			}
			if names := a.list("/skystash/users/"+id, "name"); slices.Contains(names, "evil") {
				t.Error("the user is still listed")
			}
		})
	}
}
