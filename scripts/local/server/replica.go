package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/rest"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/replicated"
)

// replicaServer serves Redis as in a read region.
type replicaServer struct {
	url      string
	listener net.Listener
	store    *replicated.Store
	engine   *redis.Engine
	marks    store.Store
	handler  *rest.Handler
	http     *httpServer
}

// addReplica makes a copy of the program's store, which must be empty, and returns how old a
// database's record may be in the engines, now that there are two.
func (m *Main) addReplica() (recordTTL time.Duration, err error) {
	r := &replicaServer{}
	if r.listener, err = net.Listen("tcp", m.flags.replica); err != nil {
		return 0, fmt.Errorf("listening on %s: %w", m.flags.replica, err)
	}
	m.replica = r
	r.url = "http://" + r.listener.Addr().String()
	options := embedded.Options{InMemory: true, Now: m.Now, Logger: m.log}
	replica, err := embedded.Open(options)
	if err != nil {
		return 0, fmt.Errorf("opening the replica: %w", err)
	}
	lag := m.flags.replicaLag
	r.store = replicated.New(m.store, replica, replicated.Options{
		Lag:    func() time.Duration { return lag + rand.N(lag) },
		Failed: func(err error) { m.log.Error("the replica misses a write", "error", err) },
	})
	m.store = r.store
	marks, err := embedded.Open(options)
	if err != nil {
		return 0, fmt.Errorf("opening the replica's marks: %w", err)
	}
	r.marks = marks
	return contract.RecordTTL, nil
}

func (r *replicaServer) open(m *Main, recordTTL time.Duration) (err error) {
	r.engine = redis.New(redis.Config{
		Store:         r.store,
		Now:           m.Now,
		Logger:        m.log,
		RecordTTL:     recordTTL,
		MaxReplyBytes: int(m.flags.maxRequest),
		Region:        &redis.Region{Replica: r.store.Replica(), Marks: r.marks},
	})
	r.handler, err = m.handler(r.engine, &rest.Region{Name: "replica", Replica: r.engine})
	return err
}

// close gives up what Main does not have itself.
func (r *replicaServer) close() error {
	var errs []error
	if r.http == nil {
		errs = append(errs, r.listener.Close())
	}
	if r.marks != nil {
		errs = append(errs, r.marks.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the replica: %w", err)
	}
	return nil
}
