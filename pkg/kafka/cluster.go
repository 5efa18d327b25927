package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// Attributes of a cluster's record.
const (
	clusterName       = "name"
	clusterCreated    = "created" // Unix ms
	clusterMax        = "max"     // partitions
	clusterPartitions = "parts"   // of all topics
	clusterLastID     = "last"    // id given to a topic last
	clusterCredGen    = "credgen"
	clusterDeleted    = "deleted" // Unix ms; instead of created
	clusterBlock      = "block"   // meter.Block
	clusterProducers  = "pid"     // id given to a producer next, in blocks
	clusterAccount    = "account" // whose it is
)

// DefaultMaxPartitions bounds the partitions of all topics of a cluster.
const DefaultMaxPartitions = 100

// Cluster is a tenant: topics and groups that credentials open. It is not changed once read.
type Cluster struct {
	ID            string
	Name          string
	CreatedAt     time.Time
	MaxPartitions int
	Partitions    int    // of all topics
	Account       string // whose it is: its requests share turns with those of the account's other resources; "": with nobody's

	CredentialGeneration int64        // credentials of other generations are not valid any more
	Revoked              *revoked.Set // credentials revoked one by one

	Blocked meter.Block // a limit of its usage has been reached: who serves the cluster refuses requests
}

// ClusterOptions describe a new cluster.
type ClusterOptions struct {
	ID            string // letters, digits, '-' and '_', at most 64; "lusters" is reserved
	Name          string // for people
	MaxPartitions int    // 0: DefaultMaxPartitions
	Account       string // see Cluster
}

func clusterPartition(id string) string { return "c" + id }

func clusterKey(id string) store.Key { return store.Key{Partition: clusterPartition(id), Sort: "c"} }

func revokedKey(id, page string) store.Key {
	return store.Key{Partition: clusterPartition(id), Sort: "v" + page}
}

// clusterIndex lists all clusters. No cluster has the id that would make it its partition.
const clusterIndex = "clusters"

func validID(id string) bool {
	for _, r := range id {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			return false
		}
	}
	return id != "" && len(id) <= 64 && clusterPartition(id) != clusterIndex
}

// CreateCluster makes a cluster without topics. The error is of kind Exists if
// there is one with that id, or has been until a few minutes ago.
func (e *Engine) CreateCluster(ctx context.Context, o ClusterOptions) (*Cluster, error) {
	if !validID(o.ID) {
		return nil, refuse(Invalid, "cluster id %q: must be 1 to 64 letters, digits, '-' or '_', and not be reserved", o.ID)
	}
	if o.MaxPartitions == 0 {
		o.MaxPartitions = DefaultMaxPartitions
	}
	attrs := store.NewAttrs(
		store.Attr{Name: clusterName, Value: store.Bytes(o.Name)},
		store.Attr{Name: clusterCreated, Value: store.Int(e.nowMs())},
		store.Attr{Name: clusterMax, Value: store.Int(int64(o.MaxPartitions))},
		store.Attr{Name: clusterPartitions, Value: store.Int(0)},
		store.Attr{Name: clusterCredGen, Value: store.Int(1)},
	)
	if o.Account != "" {
		attrs = attrs.With(clusterAccount, store.Bytes(o.Account))
	}
	err := e.store.Commit(ctx, []store.Op{
		store.Put(clusterKey(o.ID), attrs, store.And{store.Absent(clusterCreated), store.Absent(clusterDeleted)}),
		store.Put(store.Key{Partition: clusterIndex, Sort: o.ID}, store.Attrs{}, nil),
	})
	if _, ok := unmet(err); ok {
		return nil, refuse(Exists, "cluster %s exists already", o.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("creating cluster %s: %w", o.ID, err)
	}
	return e.clusterOf(ctx, o.ID, attrs)
}

// Cluster reads a cluster's record, at most Config.RecordTTL old. The error is of
// kind NotFound if there is none.
func (e *Engine) Cluster(ctx context.Context, id string) (*Cluster, error) {
	if !validID(id) {
		return nil, refuse(NotFound, "no cluster %q", id)
	}
	attrs, err := e.record(ctx, clusterKey(id))
	if err != nil {
		return nil, fmt.Errorf("reading cluster %s: %w", id, err)
	}
	if !attrs.Has(clusterCreated) {
		return nil, refuse(NotFound, "no cluster %q", id)
	}
	return e.clusterOf(ctx, id, attrs)
}

func (e *Engine) clusterOf(ctx context.Context, id string, attrs store.Attrs) (*Cluster, error) {
	withdrawn, err := e.revoked.Set(ctx, id, revoked.InRecord(attrs))
	if err != nil {
		return nil, err
	}
	return &Cluster{
		ID:                   id,
		Name:                 attrs.Get(clusterName).Str(),
		CreatedAt:            time.UnixMilli(attrs.Get(clusterCreated).Num()),
		MaxPartitions:        int(attrs.Get(clusterMax).Num()),
		Partitions:           int(attrs.Get(clusterPartitions).Num()),
		Account:              attrs.Get(clusterAccount).Str(),
		CredentialGeneration: attrs.Get(clusterCredGen).Num(),
		Revoked:              withdrawn,
		Blocked:              meter.DecodeBlock(attrs.Get(clusterBlock).Str()),
	}, nil
}

// Clusters are the ids of all clusters, also of those that are being deleted.
func (e *Engine) Clusters(ctx context.Context) ([]string, error) {
	items, err := e.queryAll(ctx, store.Query{Partition: clusterIndex})
	if err != nil {
		return nil, fmt.Errorf("listing the clusters: %w", err)
	}
	var ids []string
	for _, it := range items {
		ids = append(ids, it.Key.Sort)
	}
	return ids, nil
}

func (e *Engine) queryAll(ctx context.Context, q store.Query) ([]store.Item, error) {
	var items []store.Item
	for {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if !page.More {
			return items, nil
		}
		q = q.Next(page)
	}
}

func (e *Engine) updateCluster(ctx context.Context, id string, cond store.Cond, edits ...store.Edit) error {
	_, err := e.store.Apply(ctx, store.Update(clusterKey(id), store.And{store.Exists(clusterCreated), cond}, edits...))
	e.forget(clusterKey(id))
	if ce, ok := unmet(err); ok && !ce.Old.Has(clusterCreated) {
		return refuse(NotFound, "no cluster %q", id)
	}
	if err != nil {
		return fmt.Errorf("updating cluster %s: %w", id, err)
	}
	return nil
}

// OwnCluster notes which account has a cluster.
func (e *Engine) OwnCluster(ctx context.Context, id, account string) error {
	return e.updateCluster(ctx, id, nil, store.Set(clusterAccount, store.Bytes(account)))
}

func (e *Engine) forget(key store.Key) { e.records.Forget(key) }

// ResetCredentials makes all credentials issued so far invalid, in every engine
// within Config.RecordTTL, and returns the generation of new ones.
func (e *Engine) ResetCredentials(ctx context.Context, id string) (int64, error) {
	before, err := e.Cluster(ctx, id)
	if err != nil {
		return 0, err
	}
	err = e.updateCluster(ctx, id, store.And{}, append(revoked.Clear(), store.Add(clusterCredGen, clusterCredGen, 1))...)
	if err != nil {
		return 0, err
	}
	c, err := e.Cluster(ctx, id)
	if err != nil {
		return 0, err
	}
	return c.CredentialGeneration, e.revoked.Retire(ctx, id, before.Revoked.List())
}

// RevokeCredential makes one credential invalid, in every engine within Config.RecordTTL. expires is when its
// tokens expire anyway, zero if they do not or it is not known; the revocation is forgotten some time after.
func (e *Engine) RevokeCredential(ctx context.Context, id, credential string, expires time.Time) error {
	if !validID(id) {
		return refuse(NotFound, "no cluster %q", id)
	}
	err := e.revoked.Revoke(ctx, e.retry, revoked.Record{Key: clusterKey(id), There: clusterCreated}, id, credential, expires)
	if errors.Is(err, revoked.ErrNoRecord) {
		err = refuse(NotFound, "no cluster %q", id)
	}
	e.forget(clusterKey(id))
	if err == nil && credential != "" {
		_, err = e.store.Apply(ctx, store.Delete(passwordKey(id, credential), nil)) // it opens nothing; nobody needs it
	}
	if err != nil && !IsKind(err, NotFound) {
		return fmt.Errorf("revoking credential %s of cluster %s: %w", credential, id, err)
	}
	return err
}

// SetMaxPartitions changes how many partitions all topics of a cluster can have. Those that there are
// stay, even if they are more.
func (e *Engine) SetMaxPartitions(ctx context.Context, id string, partitions int) error {
	if partitions < 1 {
		return refuse(Invalid, "the number of partitions must be positive")
	}
	return e.updateCluster(ctx, id, store.And{}, store.Set(clusterMax, store.Int(int64(partitions))))
}

// Block makes those who serve the cluster refuse requests with a text, until a limit's time
// is over; in every engine within Config.RecordTTL. The zero Block ends that.
func (e *Engine) Block(ctx context.Context, id string, b meter.Block) error {
	edit := store.Remove(clusterBlock)
	if text := b.Encode(); text != "" {
		edit = store.Set(clusterBlock, store.Bytes(text))
	}
	return e.updateCluster(ctx, id, store.And{}, edit)
}
