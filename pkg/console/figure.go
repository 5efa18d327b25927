package console

import "fmt"

// figure says what a number of the console is: this is the one place that defines it. Pages show it beside the number.
type figure struct {
	ID   string
	What string // what is counted
	From string // what it is made of
	Late lateness
}

// lateness is how old a figure may be.
type lateness int

const (
	lateCounted  lateness = iota // as what is counted in usage
	lateMeasured                 // as the last measurement, which the page says the time of
	lateNow                      // it is read when the page is made
	lateLive                     // counted in the process
)

// figures are all figures, by their names in templates.
var figures = map[string]figure{
	"requests": {What: "HTTP requests that were answered, batches of commands of Redis's own protocol, requests of Kafka's, and attempts of QStash to deliver.", From: "a record of each; what a limit refused is not among them"},
	"commands": {What: "What a limit of requests counts, and Upstash bills: Redis commands, each of a pipeline, and messages of Kafka and QStash.", From: "the requests' records"},
	"errors":   {What: "Commands that were answered with an error, also within a pipeline that was answered 200, and other requests that were refused (4xx) or failed (5xx). Answers of QStash's destinations are not among them.", From: "replies and statuses"},
	"latency":  {What: "How long requests took here, from their first byte to the answer, without the network. A pipeline is one request. Attempts of QStash to deliver are not in it: they take as long as their destinations.", From: "a histogram of all requests; right to 4.4 %"},
	"hits":     {What: "Keys that reading commands have found, of all they have asked for. A null, an empty list, the 0 of EXISTS and the -2 of TTL are misses.", From: "the replies"},
	"stored":   {What: "Bytes as the database bills them: keys, names and values of all items, with 100 bytes for each item.", From: "reading all of it", Late: lateMeasured},
	"cost":     {What: "What the month's usage costs on AWS by list prices, without free tiers. Storage counts by the hours that something was stored for. Shared parts of a deployment are left out.", From: "request units, requests, bytes and measurements of storage"},
	"upstash":  {What: "What Upstash would bill for the same commands, bytes and storage, pay as you go.", From: "the same usage"},
	"forecast": {What: "What the month has cost so far, and for the rest of it the mean of the last seven days that are over. Without one that is over, today counts as a whole day.", From: "usage by days"},
	"traffic":  {What: "Bytes of requests (path, query and body) and of answers, before compression.", From: "the requests' records"},
	"lag":      {What: "Messages between what a group has committed and the end of each partition. Where nothing is committed, all messages that there are count: a consumer that begins at the beginning would read them.", From: "the topics and the group's offsets", Late: lateNow},
	"waited":   {What: "How long messages waited here between when they were due and when they were sent.", From: "the log", Late: lateNow},
	"endpoint": {What: "How long destinations took to answer.", From: "the log", Late: lateNow},
	"live":     {What: "What this server has answered, in steps of ten seconds.", From: "memory: it begins anew when the server starts", Late: lateLive},
}

// about is the definition of a figure, for the component "about".
func (h *Handler) about(id string) (map[string]string, error) {
	f, ok := figures[id]
	if !ok {
		return nil, fmt.Errorf("there is no figure %s", id)
	}
	late := map[lateness]string{
		lateCounted:  "It is at most a minute or two old; what an instance holds that Lambda has frozen comes when it thaws or ends.",
		lateMeasured: "It is as old as it says.",
		lateNow:      "It is as of when the page was loaded.",
		lateLive:     "It is a second or two old.",
	}[f.Late]
	if f.Late == lateCounted && h.live != nil {
		late = "It is a second or two old."
	}
	return map[string]string{"ID": id, "What": f.What, "From": sentence("From " + f.From), "Late": late}, nil
}
