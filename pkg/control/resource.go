package control

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
)

// Resource is a Redis database, a Kafka cluster or a QStash account.
type Resource struct {
	ID        string       `json:"id"`
	Account   string       `json:"account"`
	Product   Product      `json:"product"`
	Name      string       `json:"name"`
	Region    string       `json:"region"`
	CreatedAt time.Time    `json:"created"`
	Eviction  bool         `json:"eviction,omitempty"` // of Redis; DynamoDB never is full, so that nothing is evicted
	Limits    meter.Limits `json:"limits,omitzero"`

	Settings Settings `json:"settings,omitzero"`

	URL string `json:"-"` // where clients connect to

	// What is under way with it, and since when; nobody outside sees such a resource.
	State   resourceState `json:"state,omitempty"`
	StateAt time.Time     `json:"stateAt,omitzero"`
}

// Settings are what clients can choose of a Redis database at Upstash and what does nothing
// here. They are kept, since clients look whether what they have set is so.
type Settings struct {
	AutoUpgrade bool     `json:"autoUpgrade,omitempty"`
	ProdPack    bool     `json:"prodPack,omitempty"`
	Regional    bool     `json:"regional,omitempty"` // it was not asked for as a global one
	ReadRegions []string `json:"readRegions,omitempty"`
}

// resourceState says what is under way with a resource; "": nothing.
type resourceState string

const (
	creating resourceState = "creating"
	deleting resourceState = "deleting"
)

// unfinishedAfter is how long a resource may be in creation or deletion before that is
// taken for interrupted.
const unfinishedAfter = time.Minute

// MaxResources bounds the resources of an account.
const MaxResources = 200

func checkLimits(l meter.Limits) error {
	if l.DailyRequests < 0 || !(l.MonthlyBudget >= 0 && l.MonthlyBudget <= maxBudget) {
		return refuse(Invalid, "invalid limits: they are not negative, and a budget at most %d dollars", maxBudget)
	}
	return nil
}

// maxBudget is far beyond what anybody wants to spend, and far within what numbers can hold.
const maxBudget = 1_000_000_000

func (e *Engine) urlOf(p Product) string {
	switch p {
	case Redis:
		return e.endpoints.Redis
	case Kafka:
		return e.endpoints.Kafka
	}
	return e.endpoints.QStash
}

// Products are those that are deployed.
func (e *Engine) Products() []Product {
	var list []Product
	for _, p := range []Product{Redis, Kafka, QStash} {
		if e.products[p] != nil {
			list = append(list, p)
		}
	}
	return list
}

// CreateOptions describe a new resource.
type CreateOptions struct {
	Name     string
	Eviction bool // of Redis
	Settings Settings
	Limits   meter.Limits
}

// CreateDatabase makes a Redis database for an account, with its default credentials.
func (e *Engine) CreateDatabase(ctx context.Context, acct string, o CreateOptions) (*Resource, error) {
	return e.create(ctx, acct, Redis, o)
}

// CreateCluster makes a Kafka cluster for an account, with its default credential.
func (e *Engine) CreateCluster(ctx context.Context, acct string, o CreateOptions) (*Resource, error) {
	return e.create(ctx, acct, Kafka, o)
}

// CreateQStash makes a QStash account for an account, with its default credential.
func (e *Engine) CreateQStash(ctx context.Context, acct string, o CreateOptions) (*Resource, error) {
	return e.create(ctx, acct, QStash, o)
}

func (e *Engine) create(ctx context.Context, acct string, p Product, o CreateOptions) (*Resource, error) {
	engine := e.products[p]
	if engine == nil {
		return nil, refuse(Invalid, "%s is not deployed", p)
	}
	if err := checkName(o.Name); err != nil {
		return nil, err
	}
	if err := checkLimits(o.Limits); err != nil {
		return nil, err
	}
	owned, err := e.owned(ctx, acct)
	if err != nil {
		return nil, err
	}
	if len(owned) >= MaxResources {
		return nil, refuse(Quota, "an account can have %d resources", MaxResources)
	}
	r := &Resource{
		ID: newID(), Account: acct, Product: p, Name: o.Name, Region: e.region, CreatedAt: e.stamp(),
		Eviction: o.Eviction && p == Redis, Settings: o.Settings, Limits: o.Limits, State: creating, StateAt: e.stamp(),
	}
	if err := e.insertResource(ctx, r, defaultCredentials(r)); err != nil {
		return nil, fmt.Errorf("creating a resource: %w", err)
	}
	if err := engine.create(ctx, acct, r.ID, r.Name); err != nil {
		return nil, fmt.Errorf("creating a resource: %w", err)
	}
	return e.finishCreation(ctx, r.ID)
}

// insertResource writes a new resource with its credentials.
func (e *Engine) insertResource(ctx context.Context, r *Resource, credentials []Credential) error {
	ops := []store.Op{
		store.Check(accountKey(r.Account), store.Exists(attrJSON)),
		store.Put(resourceKey(r.ID), encode(r), store.Absent(attrJSON)),
		store.Put(ownedKey(r.Account, r.ID), encode(r.Product), nil),
	}
	for _, c := range credentials {
		ops = append(ops, store.Put(credentialKey(r.ID, c.ID), encode(c), nil))
	}
	return e.store.Commit(ctx, ops)
}

// finishCreation ends the creation of a resource: from now on its account sees it.
func (e *Engine) finishCreation(ctx context.Context, id string) (*Resource, error) {
	r, ok, err := change(ctx, e, resourceKey(id), func(r *Resource) error {
		if r.State == deleting {
			return errNoResource
		}
		r.State, r.StateAt = "", time.Time{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("creating a resource: %w", err)
	}
	if !ok {
		return nil, errNoResource
	}
	r.URL = e.urlOf(r.Product)
	return r, nil
}

// Adopt makes a resource of an account of what a product has already. Its default
// credentials get the ids given, as far as there are any. If the account has it, the product is
// told again that it does, and nothing else happens; the error is of kind Exists if the id is that of something else: ids are unique
// among all products.
func (e *Engine) Adopt(ctx context.Context, acct string, p Product, id, name string, credentials ...string) (*Resource, error) {
	engine := e.products[p]
	if engine == nil {
		return nil, refuse(Invalid, "%s is not deployed", p)
	}
	state, err := engine.state(ctx, id)
	if err != nil {
		return nil, err
	}
	r := &Resource{ID: id, Account: acct, Product: p, Name: name, Region: e.region, CreatedAt: state.createdAt.UTC()}
	known := defaultCredentials(r)
	for i := range known {
		if i < len(credentials) {
			known[i].ID = credentials[i]
		}
	}
	err = e.insertResource(ctx, r, known)
	if unmet(err) {
		have, err := e.Resource(ctx, acct, id)
		if IsKind(err, NotFound) || err == nil && have.Product != p {
			return nil, refuse(Exists, "there is another resource %s", id)
		}
		if err != nil {
			return nil, err
		}
		return have, engine.own(ctx, acct, id)
	}
	if err == nil {
		err = engine.own(ctx, acct, id)
	}
	if err != nil {
		return nil, fmt.Errorf("adopting %s: %w", id, err)
	}
	r.URL = e.urlOf(p)
	return r, nil
}

// owned lists the ids of an account's resources, whatever their state.
func (e *Engine) owned(ctx context.Context, acct string) ([]string, error) {
	items, err := e.queryAll(ctx, store.Query{Partition: accountKey(acct).Partition, From: "r", To: "s"})
	if err != nil {
		return nil, fmt.Errorf("listing the resources of account %s: %w", acct, err)
	}
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = it.Key.Sort[1:]
	}
	return ids, nil
}

// Resources lists an account's resources, the oldest first.
func (e *Engine) Resources(ctx context.Context, acct string) ([]*Resource, error) {
	ids, err := e.owned(ctx, acct)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	keys := make([]store.Key, len(ids))
	for i, id := range ids {
		keys[i] = resourceKey(id)
	}
	all, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading the resources of account %s: %w", acct, err)
	}
	var list []*Resource
	for i, attrs := range all {
		if attrs == nil {
			continue
		}
		r := &Resource{}
		if err := decode(keys[i], attrs, r); err != nil {
			return nil, err
		}
		if r.State != "" {
			e.finish(ctx, r)
			continue
		}
		if r.Account != acct {
			continue
		}
		r.URL = e.urlOf(r.Product)
		list = append(list, r)
	}
	slices.SortStableFunc(list, func(a, b *Resource) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list, nil
}

// finish deletes a resource whose creation or deletion was interrupted.
func (e *Engine) finish(ctx context.Context, r *Resource) {
	if e.now().Sub(r.StateAt) < unfinishedAfter {
		return
	}
	if err := e.delete(ctx, r); err != nil {
		e.log.WarnContext(ctx, "deleting what an interrupted call has left", "resource", r.ID, "error", err)
	}
}

// Resource reads a resource of an account. The error is of kind NotFound if the account
// has none with that id.
func (e *Engine) Resource(ctx context.Context, acct, id string) (*Resource, error) {
	r, err := e.AnyResource(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.Account != acct {
		return nil, errNoResource
	}
	return r, nil
}

// AnyResource reads a resource, whosever it is: for what works on behalf of the
// deployment, not of an account.
func (e *Engine) AnyResource(ctx context.Context, id string) (*Resource, error) {
	if id == "" || len(id) > maxName {
		return nil, errNoResource
	}
	r := &Resource{}
	ok, err := e.read(ctx, resourceKey(id), r)
	if err != nil {
		return nil, fmt.Errorf("reading resource %s: %w", id, err)
	}
	if !ok || r.State != "" {
		return nil, errNoResource
	}
	r.URL = e.urlOf(r.Product)
	return r, nil
}

// change changes a resource of an account.
func (e *Engine) change(ctx context.Context, acct, id string, do func(*Resource) error) (*Resource, error) {
	if id == "" || len(id) > maxName {
		return nil, errNoResource
	}
	r, ok, err := change(ctx, e, resourceKey(id), func(r *Resource) error {
		if r.Account != acct || r.State != "" {
			return errNoResource
		}
		return do(r)
	})
	if err != nil {
		return nil, fmt.Errorf("changing resource %s: %w", id, err)
	}
	if !ok {
		return nil, errNoResource
	}
	r.URL = e.urlOf(r.Product)
	return r, nil
}

// Rename gives a resource another name.
func (e *Engine) Rename(ctx context.Context, acct, id, name string) (*Resource, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	r, err := e.change(ctx, acct, id, func(r *Resource) error { r.Name = name; return nil })
	if err != nil {
		return nil, err
	}
	if err := e.productOf(r).rename(ctx, id, name); err != nil {
		return nil, fmt.Errorf("renaming resource %s: %w", id, err)
	}
	return r, nil
}

// SetEviction notes whether a Redis database may evict keys when it is full, which one in
// DynamoDB never is.
func (e *Engine) SetEviction(ctx context.Context, acct, id string, on bool) (*Resource, error) {
	return e.change(ctx, acct, id, func(r *Resource) error {
		if r.Product != Redis {
			return refuse(Invalid, "only Redis databases have eviction")
		}
		r.Eviction = on
		return nil
	})
}

// SetSettings changes settings of a Redis database.
func (e *Engine) SetSettings(ctx context.Context, acct, id string, set func(*Settings)) (*Resource, error) {
	return e.change(ctx, acct, id, func(r *Resource) error {
		if r.Product != Redis {
			return errNoResource
		}
		set(&r.Settings)
		return nil
	})
}

// SetLimits replaces a resource's limits.
func (e *Engine) SetLimits(ctx context.Context, acct, id string, l meter.Limits) (*Resource, error) {
	if err := checkLimits(l); err != nil {
		return nil, err
	}
	return e.change(ctx, acct, id, func(r *Resource) error { r.Limits = l; return nil })
}

// Delete deletes a resource with everything in it. What it held is cleared away afterwards.
func (e *Engine) Delete(ctx context.Context, acct, id string) error {
	r, err := e.change(ctx, acct, id, func(r *Resource) error {
		r.State, r.StateAt = deleting, e.stamp()
		return nil
	})
	if err != nil {
		return err
	}
	return e.delete(ctx, r)
}

// delete deletes a resource that is marked as being created or deleted. It can be repeated.
func (e *Engine) delete(ctx context.Context, r *Resource) error {
	if err := e.productOf(r).remove(ctx, r.ID); err != nil {
		return fmt.Errorf("deleting resource %s: %w", r.ID, err)
	}
	items, err := e.queryAll(ctx, store.Query{Partition: resourceKey(r.ID).Partition, From: "c", To: "d"})
	if err != nil {
		return fmt.Errorf("deleting resource %s: %w", r.ID, err)
	}
	keys := make([]store.Key, len(items))
	for i, it := range items {
		keys[i] = it.Key
	}
	if err := e.store.Load(ctx, nil, keys); err != nil {
		return fmt.Errorf("deleting resource %s: %w", r.ID, err)
	}
	if err := meter.NewBook(e.store).Forget(ctx, meter.Resource{Product: string(r.Product), ID: r.ID}); err != nil {
		return fmt.Errorf("deleting resource %s: %w", r.ID, err)
	}
	err = e.store.Commit(ctx, []store.Op{
		store.Delete(resourceKey(r.ID), nil),
		store.Delete(ownedKey(r.Account, r.ID), nil),
	})
	if err != nil {
		return fmt.Errorf("deleting resource %s: %w", r.ID, err)
	}
	return nil
}

// productOf is a resource's product.
func (e *Engine) productOf(r *Resource) product {
	if p := e.products[r.Product]; p != nil {
		return p
	}
	return absent{r.Product}
}
