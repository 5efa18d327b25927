package rest

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestOpenAPIDocumentHasExactlyWhatReachesTheEngine(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/openapi/redis.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	requests := map[string]struct{ target, body, call string }{
		"/":                      {"/", `["echo","a"]`, "do"},
		"/{command}":             {"/ping", "", "do"},
		"/{command}/{arguments}": {"/echo/a", "", "do"},
		"/pipeline":              {"/pipeline", `[["echo","a"]]`, "pipeline"},
		"/multi-exec":            {"/multi-exec", `[["echo","a"]]`, "multi"},
		"/subscribe/{channels}":  {"/subscribe/a/b", "", "subscribe"},
		"/psubscribe/{patterns}": {"/psubscribe/a*", "", "subscribe"},
		"/monitor":               {"/monitor", "", "monitor"},
	}
	for path := range d.Paths {
		if _, ok := requests[path]; !ok {
			t.Errorf("%s is documented, and not tried here", path)
		}
	}
	for path, tc := range requests {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"} {
			body := tc.body
			if method == "GET" || method == "HEAD" {
				body = ""
			}
			s := newServer(t, nil)
			s.engine.refuse = "ERR no subscription here"
			s.do(t, method, tc.target, body)
			_, documented := d.Paths[path][strings.ToLower(method)]
			if served := slices.Contains(s.engine.calls, tc.call); served != documented {
				t.Errorf("%s %s: documented %v, served %v (calls %v)", method, path, documented, served, s.engine.calls)
			}
		}
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllSubmatch(raw, -1) {
		if d.Components.Schemas[string(ref[1])] == nil {
			t.Errorf("%s leads nowhere", ref[0])
		}
	}
}
