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

// openReplica is open without a call of the primary region. It is not ok if that has to be asked: it may
// know of a token that the replica does not.
func (c *call) openReplica() bool {
	h := c.h
	if h.region == nil || c.bearer == "" || redis.IsUserToken(c.bearer) {
		return false
	}
	claims, err := h.claims(c.r.Host, c.bearer)
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
	c.db, c.access, c.near = db, access, true
	c.enter()
	return true
}

// enter notes which database the request is for, and where its client has been.
func (c *call) enter() {
	c.x.used.db = c.db
	if c.h.region != nil {
		c.x.abroad = lastAbroad(c.r.Header.Get("Upstash-Sync-Token"), c.db.ID, c.h.region.Name, c.h.sync.now())
	}
}

// leaveReplica makes the call one that the primary region can carry out.
func (c *call) leaveReplica() error {
	if !c.near {
		return nil
	}
	return c.open()
}

// readReplica lets the replica answer commands if it may and can. Where it does not, the call has left it.
func (c *call) readReplica(cmds ...[]string) (done bool, err error) {
	if c.near && c.x.abroad == 0 && c.h.region.Replica.ReadReplica(c.ctx, c.db, c.access, cmds, &c.x.replies) {
		return true, nil
	}
	return false, c.leaveReplica()
}
