package qstash

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
)

// Request asks for a message to be delivered.
type Request struct {
	Destination string // URL, or name of a URL group
	Body        []byte
	Options     Options
}

// Published is a message that was accepted.
type Published struct {
	MessageID    string `json:"messageId"`
	URL          string `json:"url,omitempty"`
	Deduplicated bool   `json:"deduplicated,omitempty"` // MessageID is that of an earlier one

	RunCreatedAt time.Time `json:"-"` // of the workflow run that it has started
}

// Outcome is what became of a request.
type Outcome struct {
	Messages []Published // one, or one for each endpoint of a URL group
	Group    bool
	Err      error
}

// dedupWindow is how long an id is remembered.
const dedupWindow = 10 * time.Minute

// draft is a message that is not stored yet.
type draft struct {
	acct  string
	id    string
	rec   record
	body  []byte
	dedup string // hash of what makes it a duplicate; "": nothing
	hold  bool   // time alone does not make it due
	extra []store.Attr

	packed []byte // body as it is stored, once it has been packed
	kept   bool   // the chunks of the body are stored

	resumed []RunStep  // of a workflow run that goes on for another one: the entries that it begins with
	also    []*draft   // of such a run: further messages of its branches
	woken   []*draft   // those of also that are stored with the run
	taken   []store.Op // of such a run: what must be there, and goes
	whole   bool       // of such a run: see run.whole
}

// Publish accepts messages. Each request has an outcome of its own; what is
// accepted is stored when Publish returns. If there would be more than Limits.Messages
// of them, URL groups unfolded, all are refused with KindTooMany, or KindLoop if they come of
// deliveries, and nothing is stored.
//
// If one of them belongs to a workflow run, all are accepted or all are refused: the SDKs of
// workflows look at the answer to the call, not at those to its messages. See refuseRun for the errors.
func (e *Engine) Publish(ctx context.Context, acct string, reqs []Request) []Outcome {
	outcomes := make([]Outcome, len(reqs))
	drafts := make([][]*draft, len(reqs))
	total := 0
	for i := range reqs {
		drafts[i], outcomes[i].Group, outcomes[i].Err = e.draft(ctx, acct, &reqs[i])
		if total += len(drafts[i]); total > e.limits.Messages {
			outcomes[i].Err = e.tooMany()
		}
		if refused := (*Error)(nil); errors.As(outcomes[i].Err, &refused) && refused.Kind == KindTooMany {
			return refuseAll(reqs, outcomes, refused)
		}
	}
	for _, list := range drafts {
		if err := e.part(list, total); err != nil {
			return refuseAll(reqs, outcomes, err)
		}
	}
	if hasRun(reqs) {
		for i := range outcomes {
			if outcomes[i].Err != nil {
				return refuseAll(reqs, outcomes, outcomes[i].Err)
			}
		}
		if err := e.continueRuns(ctx, drafts); err != nil {
			return refuseAll(reqs, outcomes, err)
		}
	}
	var plain []*draft
	var owners []int // of plain: index of the request
	for i, list := range drafts {
		for _, d := range list {
			out, err := Published{MessageID: d.id, URL: d.rec.URL}, error(nil)
			switch w := d.rec.Workflow; {
			case w != nil && !w.Init: // stored already
			case w == nil && d.dedup == "" && d.rec.Queue == "":
				plain, owners = append(plain, d), append(owners, i)
			case w != nil:
				out, err = e.startRun(ctx, d)
			default:
				out, err = e.storeDraft(ctx, d)
			}
			if err != nil && hasRun(reqs) {
				return refuseAll(reqs, outcomes, err)
			}
			if err != nil {
				outcomes[i].Err = err
				break
			}
			outcomes[i].Messages = append(outcomes[i].Messages, out)
		}
	}
	if stored, err := e.storePlain(ctx, plain); err != nil {
		for _, i := range owners[stored:] {
			outcomes[i].Err = err
		}
	}
	return outcomes
}

// refuseAll is the outcome of a call that is refused as a whole.
func refuseAll(reqs []Request, outcomes []Outcome, err error) []Outcome {
	if slices.ContainsFunc(reqs, func(r Request) bool { return r.Options.Workflow.continues() }) {
		err = refuseRun(err)
	}
	for i := range outcomes {
		outcomes[i].Messages, outcomes[i].Err = nil, err
	}
	return outcomes
}

// part gives drafts the trail of messages that are some of n.
func (e *Engine) part(drafts []*draft, n int) error {
	for _, d := range drafts {
		d.rec.Trail = d.rec.Trail.parted(n)
		if err := d.rec.Trail.check(&e.limits); err != nil {
			return err
		}
	}
	return nil
}

// tooMany refuses what would make more messages than one request may.
func (e *Engine) tooMany() error {
	return &Error{KindTooMany, fmt.Sprintf("maximum number of messages per request exceeded: limit %d, counted after URL groups are unfolded", e.limits.Messages)}
}

// draft checks a request and makes its messages.
func (e *Engine) draft(ctx context.Context, acct string, req *Request) (drafts []*draft, group bool, err error) {
	o := &req.Options
	if err := o.check(&e.limits, e.now()); err != nil {
		return nil, false, err
	}
	if limit := e.limits.bodyBytes(req); len(req.Body) > limit {
		return nil, false, &Error{KindTooLarge, fmt.Sprintf("maximum message size exceeded: limit %d bytes, message %d bytes", limit, len(req.Body))}
	}
	if o.Queue != "" {
		if err := checkName("queue", o.Queue); err != nil {
			return nil, false, err
		}
	}
	if err := checkDedupID(o.DedupID); err != nil {
		return nil, false, err
	}
	if o.Workflow != nil {
		if err := o.Workflow.check(); err != nil {
			return nil, false, err
		}
	}
	targets := []Endpoint{{URL: req.Destination}}
	topic := ""
	if !hasScheme(req.Destination) {
		if req.Destination == "" {
			return nil, false, errNoDestination
		}
		if strings.Contains(req.Destination, ":/") || checkName("topic", req.Destination) != nil {
			return nil, false, invalid("invalid destination url: endpoint has invalid scheme, add http:// or https://")
		}
		g, err := e.Group(ctx, acct, req.Destination)
		if err != nil {
			return nil, true, err
		}
		topic, targets = g.Name, g.Endpoints
	} else if err := checkURL(req.Destination); err != nil {
		return nil, false, invalid("invalid destination url: %v", err)
	}
	if len(targets) > e.limits.Messages {
		return nil, topic != "", e.tooMany()
	}
	for _, target := range targets {
		drafts = append(drafts, e.newDraft(acct, req, topic, target))
	}
	if len(drafts) > 1 && o.Workflow == nil { // they share what is packed; a run's messages replace it
		packed, done := e.pack(req.Body)
		for _, d := range drafts {
			d.packed, d.rec.Packed = packed, done
		}
	}
	return drafts, topic != "", nil
}

func (e *Engine) newDraft(acct string, req *Request, topic string, target Endpoint) *draft {
	now := e.now()
	d := &draft{acct: acct, id: e.newIDAt(messagePrefix, now), body: req.Body}
	d.rec = record{Options: req.Options, URL: target.URL, Topic: topic, Endpoint: target.Name, CreatedAt: now, BodySize: len(req.Body)}
	o := &d.rec.Options
	if o.NotBefore.IsZero() {
		o.NotBefore = now.Add(o.Delay)
	}
	o.Delay = 0
	d.hold = o.Queue != "" || o.Flow != nil || o.Workflow != nil
	switch {
	case o.DedupID != "":
		d.dedup = "id\x00" + o.DedupID
	case o.DedupByContent:
		d.dedup = "content\x00" + contentHash(target.URL, req.Body, o.Header)
	}
	if d.dedup != "" && topic != "" {
		d.dedup += "\x00" + topic + "\x00" + target.URL
	}
	return d
}

func checkDedupID(id string) error {
	if strings.ContainsFunc(id, func(r rune) bool { return r == ':' || unicode.IsSpace(r) }) {
		return invalid("deduplication id cannot contain \":\" or whitespace")
	}
	if len(id) > 1024 {
		return invalid("deduplication id is longer than 1024 bytes")
	}
	return nil
}

// contentHash stands for what is delivered, and where.
func contentHash(url string, body []byte, header Header) string {
	h := sha256.New()
	write := func(parts ...string) {
		for _, p := range parts {
			fmt.Fprintf(h, "%d\n%s", len(p), p)
		}
	}
	write(url, string(body))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		write(name)
		write(header[name]...)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// expires is when the items of a message may go if it never finishes: long after its
// last retry or, since it may wait behind others, after a year. Finished messages
// are kept for as long as the logs; the chunks of their bodies, which cost too much to
// be written again, go at this time.
func (d *draft) expires(l *Limits) time.Time {
	attempts := time.Duration(d.rec.maxRetries() + 1)
	after := attempts*(maxRetryDelay+l.MaxTimeout) + l.LogsFor + l.DLQFor
	if d.hold {
		after += maxWait
	}
	return d.rec.NotBefore.Add(after)
}

// maxWait bounds the time that a message may spend behind a queue or a flow control key.
const maxWait = 365 * 24 * time.Hour

// items are those of the message itself: due entry, unless its queue has an entry for it,
// and message. long are the chunks of its body, which nobody sees before.
func (d *draft) items(e *Engine) (due []store.Item, msg store.Item, long []store.Item, err error) {
	at := d.rec.NotBefore
	expires := d.expires(&e.limits)
	if d.packed == nil {
		d.packed, d.rec.Packed = e.pack(d.body)
	}
	body := d.packed
	long = chunks(d.acct, d.id, body, expires)
	d.rec.Chunks, d.rec.BodySize = len(long), len(d.body)
	text, err := json.Marshal(&d.rec)
	if err != nil {
		return due, msg, nil, fmt.Errorf("storing message %s: %w", d.id, err)
	}
	attrs := make([]store.Attr, 0, 10)
	attrs = append(attrs,
		store.Attr{Name: attrJSON, Value: store.Bytes(string(text))},
		store.Attr{Name: attrState, Value: store.Int(int64(stateWaiting))},
		store.Attr{Name: attrAt, Value: store.Int(at.UnixMilli())},
		store.Attr{Name: attrRetried, Value: store.Int(0)},
		store.Attr{Name: attrEvents, Value: store.List([]string{event{At: d.rec.CreatedAt.UnixMilli(), State: EventCreated}.encode()})},
		store.Attr{Name: store.TTLAttr, Value: store.Int(expires.Unix())},
	)
	if len(long) == 0 && len(body) > 0 {
		attrs = append(attrs, store.Attr{Name: attrBody, Value: store.Bytes(string(body))})
	}
	if d.hold {
		attrs = append(attrs, store.Attr{Name: attrHold, Value: store.Int(1)})
	}
	if d.rec.QueueGen == "" {
		placed := dueSort(at, dueMessage, d.id)
		attrs = append(attrs, store.Attr{Name: attrDue, Value: store.Bytes(placed)})
		due = []store.Item{{Key: dueKey(d.acct, shardOf(d.id), placed), Attrs: d.rec.dueAttrs()}}
	}
	if made := d.rec.CreatedAt; needsAnchor(idTime(d.id), made.UnixMilli()) {
		due = append(due, e.anchorItem(d.acct, d.id, made)) // its id begins with an earlier time
	}
	attrs = append(attrs, d.extra...)
	return due, store.Item{Key: messageKey(d.acct, d.id), Attrs: store.NewAttrs(attrs...)}, long, nil
}

// hint is the wake-up for a message just stored.
func (d *draft) hint() wake.Hint {
	return messageHint(d.rec.NotBefore, d.hold, d.acct, d.id, d.rec.host())
}

// loadBytes is about how many bytes storePlain hands to the store at a time. The body of a message
// to a URL group is copied for each endpoint, so all copies together may be a hundred times what was sent.
const loadBytes = 8 << 20

// storePlain stores messages that depend on nothing else, in as few calls as loadBytes allows.
// It returns how many are stored: after an error the others may be or not.
func (e *Engine) storePlain(ctx context.Context, drafts []*draft) (stored int, err error) {
	var items []store.Item
	var hints []wake.Hint
	size := 0
	for i, d := range drafts {
		if err := e.touchFlow(ctx, d.acct, d.rec.Flow); err != nil {
			return stored, err
		}
		due, msg, long, err := d.items(e)
		if err != nil {
			return stored, err
		}
		added := len(items)
		items = append(append(append(items, due...), msg), long...)
		for _, it := range items[added:] {
			size += it.Size()
		}
		hints = append(hints, d.hint())
		if size < loadBytes && i < len(drafts)-1 {
			continue
		}
		if err := e.store.Load(ctx, items, nil); err != nil {
			return stored, fmt.Errorf("storing %d messages: %w", len(hints), err)
		}
		e.wake(ctx, hints...)
		items, hints, size, stored = nil, nil, 0, i+1
	}
	return stored, nil
}

// storeDraft stores a message together with what it depends on.
func (e *Engine) storeDraft(ctx context.Context, d *draft) (Published, error) {
	if err := e.touchFlow(ctx, d.acct, d.rec.Flow); err != nil {
		return Published{}, err
	}
	duplicate := func(old store.Attrs) Published {
		return Published{MessageID: old.Get(attrMessage).Str(), URL: d.rec.URL, Deduplicated: true}
	}
	var further []store.Op
	if d.dedup != "" {
		first := e.dedupOp(d)
		if d.rec.Queue != "" { // a place that is not used becomes void, which costs more than to look
			old, err := e.store.Get(ctx, first.Key)
			if err != nil {
				return Published{}, fmt.Errorf("storing message %s: %w", d.id, err)
			}
			if !store.Holds(first.If, old) {
				return duplicate(old), nil
			}
		}
		further = append(further, first)
	}
	err := e.commitDraft(ctx, d, nil, further...)
	if refused := (*unmetError)(nil); errors.As(err, &refused) {
		return duplicate(refused.old), nil
	}
	return Published{MessageID: d.id, URL: d.rec.URL}, err
}

// commitDraft stores a message if a condition holds, with its place in a queue and further
// writes, all or nothing, and asks for its wake-up. The error is an *unmetError if a condition is not met.
func (e *Engine) commitDraft(ctx context.Context, d *draft, cond store.Cond, further ...store.Op) error {
	return e.commitDraftWhile(ctx, d, cond, nil, further...)
}

// commitDraftWhile is commitDraft with a look at what the further writes are for, before each attempt but the
// first. Where many callers want the same and one of them gets it, the others learn that by a read, and do not
// repeat a transaction that has become void.
func (e *Engine) commitDraftWhile(ctx context.Context, d *draft, cond store.Cond, look func(context.Context) error, further ...store.Op) error {
	again := false
	err := e.contend(ctx, func(ctx context.Context) error {
		if look != nil {
			if again {
				if err := look(ctx); err != nil {
					return err
				}
			}
			again = true
			ctx = store.NoRepeat(ctx)
		}
		ops, err := e.draftOps(ctx, d, cond)
		if err != nil {
			return err
		}
		ops = append(ops, further...)
		err = e.store.Commit(ctx, ops)
		// The first operation takes the place in the queue. If that is void, there is another.
		if ce, unmet := unmetCondition(err); unmet && (d.rec.Queue == "" || ce.Index > 0) {
			return &unmetError{ops[ce.Index].Key, ce.Old}
		}
		return err
	}, "storing message %s", d.id)
	if err == nil {
		e.wake(ctx, d.hint())
	}
	return err
}

// keepBody stores the chunks of a long body, once.
func (e *Engine) keepBody(ctx context.Context, d *draft) error {
	if d.kept {
		return nil
	}
	_, _, long, err := d.items(e)
	if err != nil {
		return err
	}
	if len(long) > 0 {
		if err := e.store.Load(ctx, long, nil); err != nil {
			return fmt.Errorf("storing the body of %s: %w", d.id, err)
		}
	}
	d.kept = true
	return nil
}

// draftOps are the writes of a message and its place in a queue, that of the place first, that
// of the message last. They are to be made in one commit, without delay; what is long is written before.
func (e *Engine) draftOps(ctx context.Context, d *draft, cond store.Cond) ([]store.Op, error) {
	if err := e.keepBody(ctx, d); err != nil {
		return nil, err
	}
	var ops []store.Op
	if d.rec.Queue != "" {
		var entry store.Op
		var err error
		if d.rec.QueueGen, d.rec.QueuePlace, entry, err = e.takePlace(ctx, d.acct, d.rec.Queue, d.id); err != nil {
			return nil, err
		}
		ops = append(ops, entry)
	}
	due, msg, _, err := d.items(e)
	if err != nil {
		return nil, err
	}
	return append(append(ops, puts(due)...), store.Put(msg.Key, msg.Attrs, cond)), nil
}

func puts(items []store.Item) (ops []store.Op) {
	for _, it := range items {
		ops = append(ops, store.Put(it.Key, it.Attrs, nil))
	}
	return ops
}

// Attributes of small items.
const (
	attrMessage = "m" // id of a message
	attrUntil   = "t" // ms
)

// dedupOp claims a message's deduplication id. It fails while an earlier message holds the id.
func (e *Engine) dedupOp(d *draft) store.Op {
	now := e.now()
	sum := sha256.Sum256([]byte(d.dedup))
	until := now.Add(dedupWindow)
	return store.Put(dedupKey(d.acct, string(sum[:])), store.NewAttrs(
		store.Attr{Name: attrMessage, Value: store.Bytes(d.id)},
		store.Attr{Name: attrUntil, Value: store.Int(until.UnixMilli())},
		store.Attr{Name: store.TTLAttr, Value: store.Int(until.Unix() + 1)},
	), store.Or{store.Absent(attrMessage), store.Le(attrUntil, store.Int(now.UnixMilli()))})
}
