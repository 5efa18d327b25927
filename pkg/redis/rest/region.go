package rest

import (
	"context"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// Region makes a Handler serve a read region.
type Region struct {
	// Name tells the region from others in sync tokens: letters, digits and '-', at most 32.
	Name string
	// Replica reads from the region's replica. It is what Config.Engine is, too.
	Replica Replica
}

// Replica reads from the replica of a read region. [redis.Engine] is one.
type Replica interface {
	// ReplicaDatabase is not ok if the primary region has to be asked.
	ReplicaDatabase(id string) (db *redis.Database, ok bool)
	// ReadReplica runs commands and appends a reply for each, or does nothing if they have to go to the primary region.
	ReadReplica(ctx context.Context, db *redis.Database, a redis.Access, cmds [][]string, w *resp.Writer) bool
}

// openReplica authorizes a request by the replica alone, without a call to the primary region.
// False means that the primary region has to be asked: it may know a token that the replica does
// not know yet.
func (x *exchange) openReplica() bool {
	h := x.h
	if h.region == nil || x.bearer == "" || redis.IsUserToken(x.bearer) {
		return false
	}
	claims, err := h.claims(x.ctx, x.r.Host, x.bearer)
	if err != nil {
		return false
	}
	db, ok := h.region.Replica.ReplicaDatabase(claims.Resource)
	if !ok || db.Blocked.Holds(h.now()) {
		return false
	}
	access, err := h.admit(db, claims)
	if err != nil {
		return false
	}
	x.db, x.access, x.near = db, access, true
	x.onlyRead()
	x.enter()
	return true
}

// enter notes which database the request is for, and where its client has been.
func (x *exchange) enter() {
	x.s.used.db = x.db
	if x.h.region != nil {
		x.s.abroad = lastAbroad(x.r.Header.Get("Upstash-Sync-Token"), x.db.ID, x.h.region.Name, x.h.sync.now())
	}
}

// leaveReplica authorizes the request against the primary region, if only the replica has
// authorized it so far.
func (x *exchange) leaveReplica() error {
	if !x.near {
		return nil
	}
	return x.open()
}

// readReplica lets the replica answer the commands, if the replica may and can. If it reports false
// without an error, the primary region has to run them, and the exchange is authorized there.
func (x *exchange) readReplica(cmds ...[]string) (done bool, err error) {
	if x.near && x.s.abroad == 0 && x.h.region.Replica.ReadReplica(x.ctx, x.db, x.access, cmds, &x.s.replies) {
		return true, nil
	}
	return false, x.leaveReplica()
}
