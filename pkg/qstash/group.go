package qstash

import (
	"context"
	"encoding/json"
	"fmt"

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

// Group reads a URL group.
func (e *Engine) Group(ctx context.Context, acct, name string) (*Group, error) {
	g, _, err := e.readGroup(ctx, acct, name)
	if err == nil && g == nil {
		err = notFound("topic %s not found", name)
	}
	return g, err
}

// readGroup reads a group, nil if there is none, and the text it was read from.
func (e *Engine) readGroup(ctx context.Context, acct, name string) (*Group, store.Value, error) {
	if err := checkName("topic", name); err != nil {
		return nil, store.Value{}, err
	}
	attrs, err := e.store.Get(ctx, groupKey(acct, name))
	if err != nil {
		return nil, store.Value{}, fmt.Errorf("reading topic %s: %w", name, err)
	}
	if attrs == nil {
		return nil, store.Value{}, nil
	}
	g, err := parseGroup(name, attrs)
	return g, attrs.Get(attrJSON), err
}

func parseGroup(name string, attrs store.Attrs) (*Group, error) {
	g := &Group{}
	if err := json.Unmarshal([]byte(attrs.Get(attrJSON).Str()), g); err != nil {
		return nil, fmt.Errorf("reading topic %s: %w", name, err)
	}
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
	return e.changeGroup(ctx, acct, name, true, func(g *Group) error {
		for _, ep := range endpoints {
			g.remove(ep)
			g.Endpoints = append(g.Endpoints, ep)
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
	return e.changeGroup(ctx, acct, name, false, func(g *Group) error {
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
	return e.changeGroup(ctx, acct, name, false, func(g *Group) error {
		g.Headers = headers
		return nil
	})
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

// maxGroup bounds a group's item, in bytes.
const maxGroup = 256 << 10

func (e *Engine) changeGroup(ctx context.Context, acct, name string, create bool, change func(*Group) error) error {
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
		cond := store.Cond(store.Eq(attrJSON, old))
		if g == nil {
			if !create {
				return notFound("topic %s not found", name)
			}
			n, err := e.count(ctx, part("g", acct), nil)
			if err != nil {
				return err
			}
			if n >= e.limits.Groups {
				return quota("maximum number of topics exceeded: limit %d", e.limits.Groups)
			}
			g, cond = &Group{Name: name, CreatedAt: now}, store.Absent(attrJSON)
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
