package attack

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// login is a credential of a Kafka cluster.
type login struct{ user, password string }

// owner is the credential of Kafka that may do everything.
func (a *target) owner() login {
	return login{a.server.Var("UPSTASH_KAFKA_REST_USERNAME"), a.server.Var("UPSTASH_KAFKA_REST_PASSWORD")}
}

// login issues a credential of the default cluster.
func (a *target) login(topics map[string]string, groups string) login {
	a.Helper()
	r := a.manage("POST", "/v2/skystash/credentials/default-kafka", map[string]any{"name": "attack", "topics": topics, "groups": groups})
	if r.status >= 300 {
		a.Fatalf("issuing a credential: %s", r)
	}
	return login{r.field(a.T, "username"), r.field(a.T, "token")}
}

func (a *target) topic(name string, partitions int) {
	a.Helper()
	if r := a.manage("POST", "/v2/kafka/topic", map[string]any{"name": name, "cluster_id": "default-kafka", "partitions": partitions}); r.status >= 300 {
		a.Fatalf("creating topic %s: %s", name, r)
	}
}

// kafka sends a request to Kafka.
func (a *target) kafka(l login, method, path, body string, header ...string) answer {
	a.Helper()
	req, err := http.NewRequest(method, a.server.Var("UPSTASH_KAFKA_REST_URL")+path, nil)
	if err != nil {
		a.Fatal(err)
	}
	req.SetBasicAuth(l.user, l.password)
	return a.send(method, req.URL.String(), []byte(body), append(header, "Authorization", req.Header.Get("Authorization"))...)
}

// mustKafka sends a request that is carried out.
func (a *target) mustKafka(l login, method, path, body string, header ...string) string {
	a.Helper()
	r := a.kafka(l, method, path, body, header...)
	if r.status != http.StatusOK {
		a.Fatalf("%s %s: %s", method, path, r)
	}
	return r.body
}

// A credential for some topics and groups reaches no others, whoever's instances it says it is.
func testKafkaBounds(a *target) {
	owner, all := a.owner(), []string{"Kafka-Auto-Offset-Reset", "earliest", "Kafka-Enable-Auto-Commit", "false"}
	a.topic("app", 1)
	a.topic("secret", 1)
	const hidden = `{"topic":"secret","value":"hidden","key":"hidden-key"}`
	a.mustKafka(owner, "POST", "/produce", hidden)
	a.mustKafka(owner, "POST", "/produce", `{"topic":"app","value":"open"}`)
	// Two groups read the secret topic. The name of one of them is one that the credential may use.
	for _, group := range []string{"secret-group", "app-taken"} {
		if got := a.mustKafka(owner, "POST", "/consume/"+group+"/owner/secret", "", all...); !strings.Contains(got, "hidden") {
			a.Fatalf("the owner of %s gets %s", group, got)
		}
		a.mustKafka(owner, "POST", "/commit/"+group+"/owner", `{"topic":"secret","partition":0,"offset":1}`)
	}
	state := func() string {
		var all []string
		for _, r := range []struct{ method, path, body string }{
			{"GET", "/consumers", ""}, {"POST", "/offsets/latest", `[{"topic":"secret","partition":0},{"topic":"app","partition":0}]`},
			{"POST", "/committed/secret-group/owner", `{"topic":"secret","partition":0}`}, {"POST", "/committed/app-taken/owner", `{"topic":"secret","partition":0}`},
			{"GET", "/lag/secret-group", ""}, {"GET", "/lag/app-taken", ""},
		} {
			all = append(all, a.mustKafka(owner, r.method, r.path, r.body))
		}
		return strings.Join(all, "\n")
	}
	before := state()

	type attack struct{ method, path, body string }
	foreign := []attack{ // refused to each of the credentials below
		{"POST", "/produce", hidden}, {"GET", "/produce", hidden}, {"POST", "/produce", "[" + hidden + "]"},
		{"POST", "/produce/secret", `{"value":"x"}`}, {"GET", "/produce/secret/x", ""}, {"POST", "/produce/secret/x?key=k", ""}, {"POST", "/produce/%73ecret", `{"value":"x"}`},
		{"POST", "/webhook?topic=secret", "x"}, {"GET", "/webhook?topic=secret", "x"}, {"POST", "/webhook?topic=secret&topic=app", "x"},
		{"POST", "/fetch", `{"topic":"secret","partition":0,"offset":0}`}, {"GET", "/fetch", `{"topicPartitionOffsets":[{"topic":"secret","partition":0,"offset":0}]}`},
		{"POST", "/fetch", `{"topic":"app","partition":0,"offset":0,"topicPartitionOffsets":[{"topic":"secret","partition":0,"offset":0}]}`},
		{"POST", "/fetch", `{"topic":"app","topic":"secret","partition":0,"offset":0}`},
		{"POST", "/consume/app-mine/thief/secret", ""}, {"POST", "/consume/app-mine/thief", `{"topics":["app","secret"]}`}, {"GET", "/consume/app-mine/thief", `{"topic":"app","topics":["secret"]}`},
		{"POST", "/consume/app-mine/thief/%73%65cret", ""}, {"POST", "/consume/secret-group/thief/app", ""}, {"POST", "/consume/secret-group/owner/app", ""},
		{"POST", "/consume/app-taken/thief/secret", ""}, {"POST", "/consume/app-taken/owner/secret", ""},
		{"POST", "/commit/app-mine/thief", `{"topic":"secret","partition":0,"offset":0}`}, {"POST", "/commit/secret-group/owner", ""}, {"POST", "/commit/secret-group/owner", `{"topic":"secret","partition":0,"offset":0}`},
		{"POST", "/commit/app-taken/owner", `{"topic":"secret","partition":0,"offset":0}`}, {"POST", "/commit/secret-group/owner", `[{"topic":"app","partition":0,"offset":0}]`},
		{"POST", "/committed/secret-group/owner", `{"topic":"app","partition":0}`}, {"POST", "/committed/app-mine/x", `{"topic":"secret","partition":0}`}, {"POST", "/committed/app-taken/owner", `{"topic":"secret","partition":0}`},
		{"POST", "/offsets/latest", `{"topic":"secret","partition":0}`}, {"POST", "/offsets/0", `[{"topic":"app","partition":0},{"topic":"secret","partition":0}]`},
		{"GET", "/lag/secret-group", ""}, {"POST", "/reset/secret-group", `{"topic":"secret","to":"earliest"}`}, {"POST", "/reset/secret-group", `{"topic":"app","to":"earliest"}`},
		{"POST", "/reset/app-mine", `{"topic":"secret","to":{"offset":0}}`}, {"POST", "/reset/app-taken", `{"topic":"secret","partition":0,"to":0}`},
		{"POST", "/delete-consumer/secret-group/owner", ""}, {"DELETE", "/delete-consumer/secret-group/owner", ""},
		{"POST", "/consume/app-mine/thief/app/../secret", ""}, {"POST", "/consume/app-mine/thief/app%2F..%2Fsecret", ""}, {"POST", "/produce/app%2F..%2Fsecret", `{"value":"x"}`},
	}
	taken := []attack{ // of a group that the credential may use, while its instances read what it may not
		{"POST", "/consume/app-taken/thief/app", ""}, {"POST", "/consume/app-taken/owner/app", ""}, {"POST", "/commit/app-taken/owner", ""}, {"POST", "/commit/app-taken/owner", `{"topic":"app","partition":0,"offset":0}`},
		{"POST", "/committed/app-taken/owner", `{"topic":"app","partition":0}`}, {"GET", "/lag/app-taken", ""}, {"POST", "/reset/app-taken", `{"topic":"app","to":"earliest"}`},
		{"POST", "/delete-consumer/app-taken/owner", ""}, {"DELETE", "/delete-consumer/app-taken/owner", ""},
	}
	produces := []attack{{"POST", "/produce", `{"topic":"app","value":"x"}`}, {"GET", "/produce/app/x", ""}, {"POST", "/webhook?topic=app", "x"}}
	consumes := []attack{
		{"POST", "/fetch", `{"topic":"app","partition":0,"offset":0}`}, {"POST", "/consume/app-mine/i/app", ""}, {"POST", "/commit/app-mine/i", `{"topic":"app","partition":0,"offset":0}`},
		{"POST", "/committed/app-mine/i", `{"topic":"app","partition":0}`}, {"POST", "/offsets/earliest", `{"topic":"app","partition":0}`}, {"POST", "/reset/app-mine", `{"topic":"app","to":"earliest"}`},
	}
	for name, c := range map[string]struct {
		permission string
		refused    [][]attack
	}{
		"all": {"all", [][]attack{foreign, taken}}, "consume": {"consume", [][]attack{foreign, taken, produces}}, "produce": {"produce", [][]attack{foreign, taken, consumes}},
	} {
		thief := a.login(map[string]string{"permission": c.permission, "topics": "app"}, "app-*")
		for _, list := range c.refused {
			for _, r := range list {
				got := a.kafka(thief, r.method, r.path, r.body, all...)
				// A path of more segments is no endpoint, a topic with a slash is none.
				if got.status != http.StatusForbidden && !(strings.Contains(r.path, "..") && got.status >= 400 && got.status < 500) || strings.Contains(got.body, "hidden") {
					a.Errorf("%s: %s %s %s is answered %s", name, r.method, r.path, r.body, got)
				}
			}
		}
		for _, path := range []string{"/topics", "/consumers"} {
			if got := a.kafka(thief, "GET", path, ""); got.status != http.StatusOK || strings.Contains(got.body, "secret") || strings.Contains(got.body, "taken") {
				a.Errorf("%s: %s is answered %s", name, path, got)
			}
		}
		// The same in the query, where a webhook has its credential.
		query := url.Values{"topic": {"secret"}, "user": {thief.user}, "pass": {thief.password}}
		if got := a.send("POST", a.server.Var("UPSTASH_KAFKA_REST_URL")+"/webhook?"+query.Encode(), []byte("x")); got.status != http.StatusForbidden {
			a.Errorf("%s: a webhook is answered %s", name, got)
		}
	}
	// One message of a request is for a foreign topic: none is accepted.
	thief := a.login(map[string]string{"permission": "all", "topics": "app"}, "app-*")
	if got := a.kafka(thief, "POST", "/produce", `[{"topic":"app","value":"x"},`+hidden+`]`); got.status != http.StatusForbidden {
		a.Errorf("a request for two topics is answered %s", got)
	}
	// A user's name that is another's, and passwords that are nobody's.
	for _, l := range []login{{owner.user, thief.password}, {thief.user, owner.password}, {"", owner.password}, {owner.user, ""}, {owner.user, a.token()}, {owner.user, a.qstash()}} {
		if got := a.kafka(l, "GET", "/topics", ""); got.status != http.StatusUnauthorized {
			a.Errorf("user %q is answered %s", l.user, got)
		}
	}
	if after := state(); after != before {
		a.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	// The credential does open what is its own.
	if got := a.mustKafka(thief, "POST", "/consume/app-mine/i/app", "", all...); !strings.Contains(got, "open") {
		a.Errorf("its own group gets %s", got)
	}
	a.mustKafka(thief, "POST", "/commit/app-mine/i", "")
	a.mustKafka(thief, "POST", "/produce", `{"topic":"app","value":"x"}`)

	// A cluster of the same account is a wall as well, whatever its topics and groups are called.
	other := a.manage("POST", "/v2/kafka/cluster", map[string]any{"name": "other"})
	neighbour := login{other.field(a.T, "username"), other.field(a.T, "password")}
	for _, r := range append(consumes, foreign...) {
		if got := a.kafka(neighbour, r.method, r.path, r.body, all...); strings.Contains(got.body, "hidden") || strings.Contains(got.body, "open") {
			a.Errorf("another cluster: %s %s is answered %s", r.method, r.path, got)
		}
	}
	if got := a.mustKafka(neighbour, "GET", "/topics", ""); strings.TrimSpace(got) != "{}" {
		a.Errorf("another cluster has the topics %s", got)
	}
}

// Bodies, numbers and names that no client sends are refused, are not written, and break nothing.
func testKafkaBodies(a *target) {
	owner := a.owner()
	a.topic("hostile", 1)
	end := func() string {
		return a.mustKafka(owner, "POST", "/offsets/latest", `{"topic":"hostile","partition":0}`)
	}
	before, logged := end(), len(a.log.String())
	message := func(fields string) string { return `{"topic":"hostile",` + fields + `}` }
	place := func(partition, offset string) string {
		return `{"topic":"hostile","partition":` + partition + `,"offset":` + offset + `}`
	}
	type attack struct{ path, body string }
	attacks := map[string]attack{
		"no JSON": {"/produce", "\x00\xff"}, "nothing": {"/produce", ""}, "null": {"/produce", "null"}, "a text": {"/produce", `"hostile"`}, "a list of lists": {"/produce", "[[]]"},
		"deep":              {"/produce", strings.Repeat(`{"topic":`, 100_000)},
		"deep lists":        {"/produce", strings.Repeat("[", 500_000)},
		"deep inside":       {"/produce", message(`"value":"x","ignored":` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000))},
		"a million things":  {"/produce", "[" + strings.Repeat("0,", 500_000) + "0]"},
		"a million objects": {"/produce", "[" + strings.Repeat("{},", 300_000) + "{}]"},
		"no value":          {"/produce", message(`"key":"k"`)}, "value of a number": {"/produce", message(`"value":1`)}, "value of an object": {"/produce", message(`"value":{"a":1}`)},
		"value broken off":    {"/produce", message(`"value":"x`)},
		"lone surrogate key":  {"/produce", message(`"value":"x","key":"\ud800`)},
		"partition below 0":   {"/produce", message(`"value":"x","partition":-1`)},
		"partition beyond":    {"/produce", message(`"value":"x","partition":1`)},
		"partition of 2^31-1": {"/produce", message(`"value":"x","partition":2147483647`)},
		"partition of 2^31":   {"/produce", message(`"value":"x","partition":2147483648`)},
		"partition of 2^32":   {"/produce", message(`"value":"x","partition":4294967296`)},
		"partition of 2^64":   {"/produce", message(`"value":"x","partition":18446744073709551616`)},
		"partition of 0.5":    {"/produce", message(`"value":"x","partition":0.5`)},
		"partition 1e999":     {"/produce", message(`"value":"x","partition":1e999`)},
		"partition as text":   {"/produce", message(`"value":"x","partition":"0"`)},
		"timestamp below 0":   {"/produce", message(`"value":"x","timestamp":-5`)},
		"timestamp of 2^63":   {"/produce", message(`"value":"x","timestamp":9223372036854775808`)},
		"headers as a map":    {"/produce", message(`"value":"x","headers":{"a":"b"}`)},
		"one too large":       {"/produce", message(`"value":"` + strings.Repeat("x", 3<<20) + `"`)},
		"headers too large":   {"/produce", message(`"value":"x","headers":[` + strings.Repeat(`{"key":"k","value":"v"},`, 120_000) + `{"key":"k","value":"v"}]`)},
		"key too large":       {"/produce", message(`"value":"x","key":"` + strings.Repeat("k", 3<<20) + `"`)},
		"no such topic":       {"/produce", `{"topic":"nosuch","value":"x"}`},
		"topic of 100 KB":     {"/produce", `{"topic":"` + strings.Repeat("t", 100_000) + `","value":"x"}`},
		"topic of dots":       {"/produce", `{"topic":"..","value":"x"}`},
		"topic with a NUL":    {"/produce", `{"topic":"hostile\u0000","value":"x"}`},
		"topic with a tab":    {"/produce", `{"topic":"hostile\t","value":"x"}`},
		"topic in no UTF-8":   {"/produce", "{\"topic\":\"hostile\xff\",\"value\":\"x\"}"},
		"topic twice":         {"/produce", `{"topic":"hostile","topic":"nosuch","value":"x"}`},
		"topic of the path":   {"/produce/hostile", `{"topic":"other","value":"x"}`},
		"webhook to nowhere":  {"/webhook?topic=hostile%00", "x"},
		"webhook without":     {"/webhook", "x"},
		"base64 that is none": {"/produce#base64", message(`"value":"not base64!"`)},

		"fetch below 0": {"/fetch", place("0", "-9")}, "fetch at 2^63": {"/fetch", place("0", "9223372036854775808")}, "fetch at 1e999": {"/fetch", place("0", "1e999")}, "fetch of a text": {"/fetch", place("0", `"0"`)},
		"fetch partition -1": {"/fetch", place("-1", "0")}, "fetch partition 2^31": {"/fetch", place("2147483648", "0")}, "fetch partition beyond": {"/fetch", place("7", "0")}, "fetch of nothing": {"/fetch", "{}"},
		"fetch timeout": {"/fetch", `{"topic":"hostile","partition":0,"offset":0,"timeout":-1}`}, "fetch timeout 2^63": {"/fetch", `{"topic":"hostile","partition":0,"offset":0,"timeout":9223372036854775808}`},
		"commit below 0": {"/commit/g/i", place("0", "-9")}, "commit at 2^63": {"/commit/g/i", place("0", "9223372036854775808")}, "commit partition beyond": {"/commit/g/i", place("9", "0")}, "commit of no instance": {"/commit/nosuch/i", place("0", "0")},
		"reset below 0": {"/reset/g", `{"topic":"hostile","to":{"offset":-1}}`}, "reset at 2^63": {"/reset/g", `{"topic":"hostile","to":{"offset":9223372036854775808}}`}, "reset to nowhere": {"/reset/g", `{"topic":"hostile","to":"x"}`},
		"reset deep":   {"/reset/g", `{"topic":"hostile","to":` + strings.Repeat("[", 50_000)},
		"time below 0": {"/offsets/-5", `{"topic":"hostile","partition":0}`}, "time of 2^63": {"/offsets/9223372036854775808", `{"topic":"hostile","partition":0}`}, "time of a text": {"/offsets/x", `{"topic":"hostile","partition":0}`},
		"offsets of a million": {"/offsets/0", "[" + strings.Repeat(`{"topic":"x"},`, 60_000) + "{}]"},
		"timeout of the query": {"/consume/g/i/hostile?timeout=1e999", ""}, "timeout below 0": {"/consume/g/i/hostile?timeout=-1", ""}, "timeout of a text": {"/offsets/0?timeout=x", `{"topic":"hostile","partition":0}`},
		"no topics": {"/consume/g/i", "{}"}, "a topic of a number": {"/consume/g/i", `{"topics":[1]}`}, "topics of a text": {"/consume/g/i", `{"topics":"hostile"}`}, "a million topics": {"/consume/g/i", `{"topics":[` + strings.Repeat(`"hostile",`, 90_000) + `"nosuch"]}`},
		"group with a NUL": {"/consume/g%00/i/hostile", ""}, "instance with a line break": {"/consume/g/i%0d%0a/hostile", ""}, "group in no UTF-8": {"/consume/%ff/i/hostile", ""},
		"group of 100 KB": {"/consume/" + strings.Repeat("g", 100_000) + "/i/hostile", ""}, "instance of 3,000": {"/consume/g/" + strings.Repeat("i", 3000) + "/hostile", ""},
		"no group": {"/consume//i/hostile", ""}, "percent": {"/consume/%zz/i/hostile", ""}, "no instance": {"/delete-consumer/nosuch/i", ""}, "no endpoint": {"/nosuch", ""}, "one too deep": {"/topics/x", ""},
		"query that cannot be read": {"/webhook?topic=hostile&%zz", "x"},
	}
	for name, c := range attacks {
		header := []string{}
		if path, ok := strings.CutSuffix(c.path, "#base64"); ok {
			c.path, header = path, []string{"Kafka-Encoding", "base64"}
		}
		if r := a.kafkaRaw(owner, c.path, c.body, header...); r.status < 400 || r.status >= 500 || strings.Contains(r.body, "internal") || len(r.body) > 20_000 {
			a.Errorf("%s is answered %s (%d bytes)", name, r, len(r.body))
		}
	}
	for _, header := range [][]string{
		{"Kafka-Enable-Auto-Commit", "perhaps"}, {"Kafka-Auto-Offset-Reset", "x"}, {"Kafka-Auto-Commit-Interval", "-1"}, {"Kafka-Auto-Commit-Interval", "9223372036854775808"},
		{"Kafka-Session-Timeout-Ms", "0"}, {"Kafka-Session-Timeout-Ms", "99999999999999999999"}, {"Kafka-Encoding", "x"}, {"Kafka-Answer-Received", "xyz"}, {"Kafka-Nulls", "x"},
	} {
		if r := a.kafka(owner, "POST", "/consume/g/i/hostile", "", header...); r.status != http.StatusBadRequest {
			a.Errorf("%q is answered %s", header, r)
		}
	}
	// The largest offset that there can be is one that there is not.
	if r := a.kafka(owner, "POST", "/fetch", `{"topic":"hostile","partition":0,"offset":9223372036854775807,"timeout":0}`); r.status >= 500 || strings.Contains(r.body, "value") {
		a.Errorf("the last offset is answered %s", r)
	}
	if after := end(); after != before {
		a.Errorf("the topic ended at %s, and ends at %s", before, after)
	}
	// What may be anything arrives as it is: nothing of it becomes part of the answer's syntax or of the log.
	odd := "\x00\x1b[2J\r\nSet-Cookie: a=b\u2028</script>"
	text, _ := json.Marshal(odd)
	a.mustKafka(owner, "POST", "/produce", message(`"value":`+string(text)+`,"key":`+string(text)+`,"headers":[{"key":`+string(text)+`,"value":`+string(text)+`}]`))
	r := a.kafka(owner, "POST", "/fetch", place("0", "0"))
	var got []struct {
		Key, Value string
		Headers    []struct{ Key, Value string }
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || len(got) != 1 || got[0].Value != odd || got[0].Key != odd || len(got[0].Headers) != 1 || got[0].Headers[0].Key != odd || got[0].Headers[0].Value != odd {
		a.Errorf("fetched %+v, %v", got, err)
	}
	if r.header.Get("Set-Cookie") != "" {
		a.Error("a message has set a header field")
	}
	// Nothing of this concerns the operator.
	if log := a.log.String()[logged:]; strings.Contains(log, "level=ERROR") || strings.Contains(log, "panic") || strings.Contains(log, "\x1b") {
		a.Errorf("the log says %.2000s", log)
	}
	// Larger than any body: the server says so, or hangs up.
	for _, path := range []string{"/produce", "/fetch", "/webhook?topic=hostile", "/commit/g/i"} {
		if r, ok := a.tryKafka(owner, path, strings.Repeat("x", 11<<20)); ok && r.status != http.StatusRequestEntityTooLarge {
			a.Errorf("a body of 11 MiB to %s is answered %s", path, r)
		}
	}
	a.mustKafka(owner, "GET", "/topics", "")
}

// kafkaRaw sends a request whose path may be one that net/url cannot parse.
func (a *target) kafkaRaw(l login, path, body string, header ...string) answer {
	a.Helper()
	if _, err := url.Parse(path); err == nil {
		return a.kafka(l, "POST", path, body, header...)
	}
	base, err := url.Parse(a.server.Var("UPSTASH_KAFKA_REST_URL"))
	if err != nil {
		a.Fatal(err)
	}
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth(l.user, l.password)
	got := a.exchange("POST " + base.Path + path + " HTTP/1.1\r\nHost: " + base.Host + "\r\nAuthorization: " + req.Header.Get("Authorization") + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	var r answer
	head, text, _ := strings.Cut(got, "\r\n\r\n")
	if _, status, ok := strings.Cut(head, " "); ok && len(status) >= 3 {
		for _, digit := range status[:3] {
			r.status = 10*r.status + int(digit-'0')
		}
	}
	r.body = text
	return r
}

// tryKafka sends a body that the server may refuse to read. It reports whether there was an answer.
func (a *target) tryKafka(l login, path, body string) (answer, bool) {
	a.Helper()
	req, err := http.NewRequestWithContext(a.Context(), "POST", a.server.Var("UPSTASH_KAFKA_REST_URL")+path, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	req.SetBasicAuth(l.user, l.password)
	resp, err := a.client.Do(req)
	if err != nil {
		return answer{}, false
	}
	resp.Body.Close()
	return answer{status: resp.StatusCode}, true
}

func kafka(t *testing.T, binary string) {
	a := newTarget(t, binary)
	for _, tc := range []struct {
		name string
		run  func(*target)
	}{
		{"a credential for some topics and groups reaches no others", testKafkaBounds},
		{"bodies that no client sends", testKafkaBodies},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.run(a.with(t)) })
	}
}
