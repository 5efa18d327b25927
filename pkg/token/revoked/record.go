package revoked

import (
	"context"
	"errors"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a resource's record that hold its List.
const (
	attrRecent = "revoked"
	attrPages  = "revpages"
)

// ErrNoRecord says that there is no such resource.
var ErrNoRecord = errors.New("revoked: the resource has no record")

// InRecord is the list that a record holds.
func InRecord(record store.Attrs) List {
	return List{Recent: record.Get(attrRecent).Elems(), Pages: record.Get(attrPages).Elems()}
}

// Clear are the edits that take the list out of a record. See Book.Retire for its pages.
func Clear() []store.Edit { return []store.Edit{store.Remove(attrRecent), store.Remove(attrPages)} }

// Record says where a resource's record is.
type Record struct {
	Key   store.Key
	There string // an attribute that the record has as long as there is the resource
}

// Revoke adds a credential, which expires at a time (zero: never, or not known), to the list in a resource's
// record. Those of one process who do so go one after the other. If there is no record, the error is ErrNoRecord.
func (b *Book) Revoke(ctx context.Context, retry store.Retry, r Record, resource, credential string, expires time.Time) error {
	unlock, err := b.locks.Lock(ctx, "", resource)
	if err != nil {
		return err
	}
	defer unlock()
	return retry.Unhurried().Do(ctx, func(ctx context.Context) error {
		attrs, err := b.store.Get(ctx, r.Key)
		if err != nil {
			return err
		}
		if !attrs.Has(r.There) {
			return ErrNoRecord
		}
		list := InRecord(attrs)
		next, writes, err := b.Add(ctx, resource, list, credential, expires)
		if err != nil || next.Equal(list) {
			return err
		}
		return b.store.Commit(ctx, append(writes, store.Update(r.Key,
			store.And{store.Exists(r.There), store.Same(attrRecent, attrs.Get(attrRecent)), store.Same(attrPages, attrs.Get(attrPages))},
			store.Set(attrRecent, store.List(next.Recent)), store.Set(attrPages, store.List(next.Pages)))))
	})
}
