package revoked

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// maxSets bounds the resources whose revocations a Book remembers.
const maxSets = 10_000

// pageGrace is how long a page stays that no list names any more: who has read the list before may
// still ask for the page.
const pageGrace = 24 * time.Hour

// attrEntries is the attribute of a page that holds its entries.
const attrEntries = "l"

// Book reads and changes the lists of the resources in one store. It is safe for concurrent use.
type Book struct {
	store store.Store
	now   func() time.Time
	key   func(resource, page string) store.Key
	locks *store.Locks // of resources' records, see Revoke

	mu   sync.Mutex
	sets map[string]*Set // by resource: the pages in it need not be read again
}

// NewBook makes a Book. key says where a resource's pages are; their names are 24 letters, digits, '-'
// and '_'.
func NewBook(st store.Store, now func() time.Time, key func(resource, page string) store.Key) *Book {
	return &Book{store: st, now: now, key: key, locks: store.NewLocks(), sets: map[string]*Set{}}
}

// Set returns what a resource's list says. It calls the store only if the list names pages that it has not
// named before. An error leaves it unknown whether a credential was revoked: nothing may be opened.
func (b *Book) Set(ctx context.Context, resource string, l List) (*Set, error) {
	if len(l.Recent) == 0 && len(l.Pages) == 0 {
		return nil, nil
	}
	b.mu.Lock()
	known := b.sets[resource]
	b.mu.Unlock()
	if known != nil && known.list.Equal(l) {
		return known, nil
	}
	s := &Set{list: l, recent: decode(l.Recent)}
	var missing []string
	for _, text := range l.Pages {
		name, expires := decodeEntry(text)
		if gone(expires, b.now()) {
			continue
		}
		if p, ok := known.page(name); ok {
			s.pages = append(s.pages, p)
		} else {
			missing = append(missing, name)
		}
	}
	pages, err := b.read(ctx, resource, missing)
	if err != nil {
		return nil, fmt.Errorf("reading the revoked credentials of %s: %w", resource, err)
	}
	s.pages = append(s.pages, pages...)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.sets) >= maxSets {
		clear(b.sets)
	}
	b.sets[resource] = s
	return s, nil
}

func (s *Set) page(name string) (page, bool) {
	if s == nil {
		return page{}, false
	}
	i := slices.IndexFunc(s.pages, func(p page) bool { return p.name == name })
	if i < 0 {
		return page{}, false
	}
	return s.pages[i], true
}

// readAtOnce is how many pages are read in one call: 16 MB is the most that DynamoDB answers.
const readAtOnce = 100

func (b *Book) read(ctx context.Context, resource string, names []string) ([]page, error) {
	var pages []page
	for some := range slices.Chunk(names, readAtOnce) {
		keys := make([]store.Key, len(some))
		for i, name := range some {
			keys[i] = b.key(resource, name)
		}
		items, err := b.store.GetMany(ctx, keys, false)
		if err != nil {
			return nil, err
		}
		for i, attrs := range items {
			if !attrs.Has(attrEntries) {
				return nil, fmt.Errorf("page %s is missing", some[i])
			}
			pages = append(pages, page{some[i], decode(attrs.Get(attrEntries).Elems())})
		}
	}
	return pages, nil
}

// Add returns a resource's list with one more credential, which expires at a time (zero: never, or not known).
// The caller writes it into the resource's record in one commit with writes, at most four, on the condition
// that the record's list is still l. Where the credential has been revoked already, next equals l.
func (b *Book) Add(ctx context.Context, resource string, l List, credential string, expires time.Time) (next List, writes []store.Op, err error) {
	s, err := b.Set(ctx, resource, l)
	if err != nil || s.Has(credential) {
		return l, nil, err
	}
	if s == nil {
		s = &Set{}
	}
	now := b.now()
	recent := s.recent.live(now)
	if recent == nil {
		recent = entries{}
	}
	recent[credential] = 0
	if !expires.IsZero() {
		recent[credential] = expires.Unix()
	}
	for _, text := range l.Pages {
		if _, end := decodeEntry(text); !gone(end, now) {
			next.Pages = append(next.Pages, text)
		}
	}
	if recent.size() <= maxRecent {
		next.Recent = recent.encode()
		return next, nil, nil
	}
	expiring, lasting := recent.split()
	for _, part := range []entries{expiring, lasting} {
		if len(part) == 0 {
			continue
		}
		if old, ok := s.room(part, now); ok {
			maps.Copy(part, old.entries.live(now))
			next.Pages = slices.DeleteFunc(next.Pages, func(text string) bool {
				name, _ := decodeEntry(text)
				return name == old.name
			})
			writes = append(writes, b.retire(resource, old.name))
		}
		p := newPage(part)
		next.Pages = append(next.Pages, encodeEntry(p.name, part.last()))
		writes = append(writes, b.put(resource, p))
	}
	return next, writes, nil
}

// room returns a page of the same kind that has room for more entries: either all expire or none does.
func (s *Set) room(more entries, now time.Time) (page, bool) {
	for _, p := range slices.Backward(s.pages) {
		if (p.last() == 0) == (more.last() == 0) && p.live(now).size()+more.size() <= maxPage {
			return p, true
		}
	}
	return page{}, false
}

func (b *Book) put(resource string, p page) store.Op {
	attrs := []store.Attr{{Name: attrEntries, Value: store.List(p.encode())}}
	if last := p.last(); last != 0 {
		attrs = append(attrs, expiry(time.Unix(last, 0).Add(Keep+pageGrace)))
	}
	return store.Put(b.key(resource, p.name), store.NewAttrs(attrs...), nil)
}

// retire lets a page expire that no list names any more.
func (b *Book) retire(resource, name string) store.Op {
	x := expiry(b.now().Add(pageGrace))
	return store.Update(b.key(resource, name), nil, store.Set(x.Name, x.Value))
}

func expiry(at time.Time) store.Attr {
	return store.Attr{Name: store.TTLAttr, Value: store.Int(at.Unix())}
}

// Retire lets the pages of a list expire after the resource's record has been written without it.
func (b *Book) Retire(ctx context.Context, resource string, l List) error {
	for _, text := range l.Pages {
		name, _ := decodeEntry(text)
		if _, err := b.store.Apply(ctx, b.retire(resource, name)); err != nil {
			return fmt.Errorf("dropping the revoked credentials of %s: %w", resource, err)
		}
	}
	return nil
}
