package qstash

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/store"
)

// Endpoint is one destination of a URL group.
type Endpoint struct {
	Name string `json:"name,omitempty"`
	URL  string `json:"url"`
}

// Group is a URL group.
type Group struct {
	Name      string              `json:"name"`
	CreatedAt int64               `json:"createdAt"` // ms
	UpdatedAt int64               `json:"updatedAt"` // ms
	Endpoints []Endpoint          `json:"endpoints"`
	Headers   map[string][]string `json:"headers,omitempty"` // of the publisher's request, unless it has its own
}

// A group's item is its text as JSON, and what was added to it since: that is appended, so that many who add
// endpoints at once do not write on the condition that nobody was faster. Whatever else changes a group writes the
// text anew.
const (
	groupAdded   = "q"  // endpoints in the order in which they were added, each as JSON
	groupAddedAt = "ua" // ms: when the last one was
	groupMadeAt  = "ca" // ms: when a group was made whose text does not say it, see emptyGroup
)

// Group reads a URL group.
func (e *Engine) Group(ctx context.Context, acct, name string) (*Group, error) {
	g, _, err := e.readGroup(ctx, acct, name)
	if err == nil && g == nil {
		err = notFound("topic %s not found", name)
	}
	return g, err
}

// readGroup reads a group, nil if there is none, and the item it was read from.
func (e *Engine) readGroup(ctx context.Context, acct, name string) (*Group, store.Attrs, error) {
	if err := checkName("topic", name); err != nil {
		return nil, nil, err
	}
	attrs, err := e.store.Get(ctx, groupKey(acct, name))
	if err != nil {
		return nil, nil, fmt.Errorf("reading topic %s: %w", name, err)
	}
	if attrs == nil {
		return nil, nil, nil
	}
	g, err := parseGroup(name, attrs)
	return g, attrs, err
}

func parseGroup(name string, attrs store.Attrs) (*Group, error) {
	g := &Group{}
	if err := json.Unmarshal([]byte(attrs.Get(attrJSON).Str()), g); err != nil {
		return nil, fmt.Errorf("reading topic %s: %w", name, err)
	}
	for _, text := range attrs.Get(groupAdded).Elems() {
		var ep Endpoint
		if err := json.Unmarshal([]byte(text), &ep); err != nil {
			return nil, fmt.Errorf("reading an endpoint of topic %s: %w", name, err)
		}
		g.add(ep)
	}
	g.CreatedAt = max(g.CreatedAt, attrs.Get(groupMadeAt).Num())
	g.UpdatedAt = max(g.UpdatedAt, attrs.Get(groupAddedAt).Num())
	return g, nil
}

// Groups lists the URL groups.
func (e *Engine) Groups(ctx context.Context, acct string) ([]*Group, error) {
	list := []*Group{}
	err := e.each(ctx, store.Query{Partition: part("g", acct)}, func(it store.Item) (bool, error) {
		g, err := parseGroup(it.Key.Sort, it.Attrs)
		list = append(list, g)
		return true, err
	})
	return list, err
}

// AddEndpoints adds endpoints to a group, which it creates. An endpoint replaces one
// of the same name or the same URL.
func (e *Engine) AddEndpoints(ctx context.Context, acct, name string, endpoints []Endpoint) error {
	for _, ep := range endpoints {
		if err := checkURL(ep.URL); err != nil {
			return invalid("invalid endpoint url: %v", err)
		}
	}
	if len(endpoints) == 0 {
		return invalid("at least one endpoint is required")
	}
	return e.changeGroup(ctx, acct, name, endpoints, func(g *Group) error {
		for _, ep := range endpoints {
			g.add(ep)
		}
		if len(g.Endpoints) > e.limits.Endpoints {
			return quota("maximum number of endpoints of a topic exceeded: limit %d", e.limits.Endpoints)
		}
		return nil
	})
}

// RemoveEndpoints removes the endpoints with the given names or URLs; with its last
// endpoint a group goes.
func (e *Engine) RemoveEndpoints(ctx context.Context, acct, name string, endpoints []Endpoint) error {
	return e.changeGroup(ctx, acct, name, nil, func(g *Group) error {
		for _, ep := range endpoints {
			g.remove(ep)
		}
		return nil
	})
}

// SetGroupHeaders sets the default headers of a group.
func (e *Engine) SetGroupHeaders(ctx context.Context, acct, name string, headers map[string][]string) error {
	if err := Header(headers).check(); err != nil {
		return err
	}
	return e.changeGroup(ctx, acct, name, nil, func(g *Group) error {
		g.Headers = headers
		return nil
	})
}

// add adds an endpoint in place of those that have its name or its URL.
func (g *Group) add(ep Endpoint) {
	g.remove(ep)
	g.Endpoints = append(g.Endpoints, ep)
}

// remove removes the endpoints that have the name or the URL of ep.
func (g *Group) remove(ep Endpoint) {
	kept := g.Endpoints[:0]
	for _, old := range g.Endpoints {
		if ep.Name != "" && old.Name == ep.Name || ep.URL != "" && old.URL == ep.URL {
			continue
		}
		kept = append(kept, old)
	}
	g.Endpoints = kept
}

const (
	maxGroup = 256 << 10 // bytes of a group's item
	maxAdded = 1 << 10   // bytes of an endpoint that is appended to it
)

// changeGroup changes a group. added are the endpoints that the change adds, if it does nothing else; it then creates
// the group if there is none.
func (e *Engine) changeGroup(ctx context.Context, acct, name string, added []Endpoint, change func(*Group) error) error {
	unlock, err := e.lock(ctx, "g", acct, name)
	if err != nil {
		return err
	}
	defer unlock()
	return e.contend(ctx, func(ctx context.Context) error {
		g, old, err := e.readGroup(ctx, acct, name)
		if err != nil {
			return err
		}
		now := e.now().UnixMilli()
		if g == nil && len(added) == 0 {
			return notFound("topic %s not found", name)
		}
		if g == nil {
			n, err := e.count(ctx, part("g", acct), nil)
			if err != nil {
				return err
			}
			if n >= e.limits.Groups {
				return quota("maximum number of topics exceeded: limit %d", e.limits.Groups)
			}
		}
		if op, ok := e.appendOp(acct, name, g, old, added, now); ok {
			_, err = e.store.Apply(ctx, op)
			return err
		}
		cond := store.Cond(store.Absent(attrJSON))
		if g == nil {
			g = &Group{Name: name, CreatedAt: now}
		} else {
			cond = store.And{store.Eq(attrJSON, old.Get(attrJSON)), store.Same(groupAdded, old.Get(groupAdded))}
		}
		if err := change(g); err != nil {
			return err
		}
		g.UpdatedAt = now
		op := store.Delete(groupKey(acct, name), cond)
		if len(g.Endpoints) > 0 {
			text, err := json.Marshal(g)
			if err != nil {
				return err
			}
			if len(text) > maxGroup {
				return &Error{KindTooLarge, fmt.Sprintf("topic exceeds the limit of %d bytes", maxGroup)}
			}
			op = store.Put(groupKey(acct, name), store.NewAttrs(store.Attr{Name: attrJSON, Value: store.Bytes(string(text))}), cond)
		}
		_, err = e.store.Apply(ctx, op)
		return err
	}, "changing topic %s", name)
}

// emptyGroup is the text of a group that an endpoint is the first of. It is the same whoever makes the group, so that
// of many who do at once none has to begin anew.
func emptyGroup(name string) (string, error) {
	text, err := json.Marshal(&Group{Name: name})
	return string(text), err
}

// appendOp appends endpoints to a group as it was read, or makes it if g is nil. ok is false if the group's text has
// to be written anew for them, since there is no room. How many others are appended meanwhile makes no difference as
// long as the limit cannot be exceeded, even if each of them is a new one.
func (e *Engine) appendOp(acct, name string, g *Group, old store.Attrs, added []Endpoint, now int64) (op store.Op, ok bool) {
	if len(added) == 0 {
		return op, false
	}
	text := old.Get(attrJSON)
	same := store.Cond(store.Eq(attrJSON, text))
	edits := []store.Edit{store.Set(groupAddedAt, store.Int(now))}
	if g == nil {
		empty, err := emptyGroup(name)
		if err != nil {
			return op, false
		}
		g, text = &Group{}, store.Bytes(empty)
		same = store.Or{store.Absent(attrJSON), store.Eq(attrJSON, text)}
		edits = append(edits, store.Default(attrJSON, text), store.Default(groupMadeAt, store.Int(now)))
	}
	var written Group
	if json.Unmarshal([]byte(text.Str()), &written) != nil {
		return op, false
	}
	room := e.limits.Endpoints - len(written.Endpoints) - len(added) // of others that were appended
	if room < len(old.Get(groupAdded).Elems()) || len(text.Str())+e.limits.Endpoints*maxAdded > maxGroup {
		return op, false
	}
	var list []string
	for _, ep := range added {
		one, err := json.Marshal(ep)
		if err != nil || len(one) > maxAdded {
			return op, false
		}
		if !slices.Contains(g.Endpoints, ep) {
			list = append(list, string(one))
		}
	}
	cond := store.And{same, store.Not{Cond: store.SizeGt(groupAdded, int64(room))}}
	if len(list) > 0 {
		edits = append(edits, store.Append(groupAdded, list))
	}
	return store.Update(groupKey(acct, name), cond, edits...), true
}

// DeleteGroup deletes a group, if there is one. Messages that were published to it go on.
func (e *Engine) DeleteGroup(ctx context.Context, acct, name string) error {
	if err := checkName("topic", name); err != nil {
		return err
	}
	if _, err := e.store.Apply(ctx, store.Delete(groupKey(acct, name), nil)); err != nil {
		return fmt.Errorf("deleting topic %s: %w", name, err)
	}
	return nil
}
