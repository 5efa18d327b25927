// Package guard stands between functions and the emulators of AWS. It knows who calls by the access key, lets through
// what the caller's role may do, applies the limits that emulators do not have, and counts.
package guard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skystash/skystash/integration/rehearse/iam"
)

// Guard is an HTTP handler that takes the place of all services of AWS. Its fields are set before it is used.
type Guard struct {
	Region    string // that emulators keep everything in
	Account   string
	Key       string                     // access key that emulators are called with
	Emulators map[string]*url.URL        // by service, as in the scope of signatures: "dynamodb"
	Roles     map[string][]iam.Statement // by access key
	Now       func() time.Time           // nil: time.Now

	mu     sync.Mutex
	faults []Fault
	calls  map[string]map[string]int // by access key and action
	shards map[string][]time.Time    // reads of the last second
	of     map[string]string         // shard iterators: stream and shard
}

// Fault is a call that AWS would refuse.
type Fault struct {
	Who, What string
	Why       string // what would have to be different
}

// String is the fault as messages name it.
func (f Fault) String() string { return fmt.Sprintf("%s: %s: %s", f.Who, f.What, f.Why) }

// Faults takes the calls that were refused since it was last called.
func (g *Guard) Faults() []Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	faults := g.faults
	g.faults = nil
	return faults
}

// Calls are the numbers of calls by access key and action.
func (g *Guard) Calls() map[string]map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := map[string]map[string]int{}
	for who, calls := range g.calls {
		all[who] = maps.Clone(calls)
	}
	return all
}

// Unused are the actions that a role's statements allow and that it has never needed, without those of services that no
// emulator stands for.
func (g *Guard) Unused(who string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var unused []string
	for _, s := range g.Roles[who] {
		for _, action := range s.Actions {
			service, _, _ := strings.Cut(action, ":")
			if g.Emulators[service] == nil || s.Deny || slices.Contains(unused, action) {
				continue
			}
			needed := false
			for called := range g.calls[who] {
				needed = needed || iam.Like(action, called)
			}
			if !needed {
				unused = append(unused, action)
			}
		}
	}
	slices.Sort(unused)
	return unused
}

// call is a request to a service.
type call struct {
	service string
	target  string // operation
	body    []byte
	in      map[string]any // the body, if it is JSON
	needs   []iam.Request  // all of these
}

var credential = regexp.MustCompile(`Credential=([^/]+)/([0-9]+)/([a-z0-9-]+)/([a-z0-9-]+)/`)

// ServeHTTP takes any request that an SDK of AWS signs.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scope := credential.FindStringSubmatch(r.Header.Get("Authorization"))
	if scope == nil {
		http.Error(w, "not signed", http.StatusForbidden)
		return
	}
	who := scope[1]
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := &call{service: scope[4], body: body}
	if err := g.read(c, r, scope[3]); err != nil {
		g.refuse(w, c, who, http.StatusBadRequest, "ValidationException", Fault{who, r.Method + " " + r.URL.Path, err.Error()})
		return
	}
	for _, need := range c.needs {
		if fault, denied := g.check(who, need); denied {
			g.refuse(w, c, who, http.StatusBadRequest, "AccessDeniedException", fault)
			return
		}
	}
	if name, why := g.limit(c); why != "" {
		g.refuse(w, c, who, http.StatusBadRequest, name, Fault{who, c.service + ":" + c.target, why})
		return
	}
	to := g.Emulators[c.service]
	if to == nil {
		g.refuse(w, c, who, http.StatusBadRequest, "UnknownEndpoint", Fault{who, c.service + ":" + c.target, "nothing stands for this service"})
		return
	}
	// Emulators keep data apart by access key and region.
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), scope[0],
		fmt.Sprintf("Credential=%s/%s/%s/%s/", g.Key, scope[2], g.Region, scope[4]), 1))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	proxy := httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = to.Scheme, to.Host, to.Host
		},
	}
	if c.service == "kinesis" {
		proxy.ModifyResponse = func(answer *http.Response) error { return g.remember(c, answer) }
	}
	proxy.ServeHTTP(w, r)
}

// check decides on one right that a call needs.
func (g *Guard) check(who string, need iam.Request) (Fault, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls == nil {
		g.calls = map[string]map[string]int{}
	}
	if g.calls[who] == nil {
		g.calls[who] = map[string]int{}
	}
	g.calls[who][need.Action]++
	ok, by := iam.Allowed(g.Roles[who], need)
	if ok {
		return Fault{}, false
	}
	why := fmt.Sprintf(`this would allow it: {"Effect":"Allow","Action":%q,"Resource":%q}`, need.Action, need.Resource)
	if by >= 0 {
		why = fmt.Sprintf("statement %d denies it", by)
	}
	return Fault{who, need.String(), why}, true
}

// refuse answers as AWS does, so that the SDK makes an error of it, and keeps the fault.
func (g *Guard) refuse(w http.ResponseWriter, c *call, who string, status int, name string, f Fault) {
	g.mu.Lock()
	g.faults = append(g.faults, f)
	g.mu.Unlock()
	w.Header().Set("X-Amzn-ErrorType", name)
	if c.service == "s3" {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><Message>%s is not authorized</Message></Error>", who)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"__type": name, "message": f.String(), "Message": f.String()})
}
