package control

import (
	"context"
	"errors"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/token"
)

// Product is what a resource is of.
type Product string

// The products.
const (
	Redis  Product = token.ProductRedis
	Kafka  Product = token.ProductKafka
	QStash Product = token.ProductQStash
)

// product is a product's engine as far as resources go. Errors of what does not exist are
// of kind NotFound.
type product interface {
	create(ctx context.Context, acct, id, name string) error // no error if there is one already
	// own tells the product which account has it, where that matters to it.
	own(ctx context.Context, acct, id string) error
	rename(ctx context.Context, id, name string) error
	remove(ctx context.Context, id string) error // no error if there is none
	state(ctx context.Context, id string) (productState, error)
	reset(ctx context.Context, id string) error
	// revoke makes a credential invalid that expires at a time; zero: never.
	revoke(ctx context.Context, id, credential string, expires time.Time) error
}

// productState is what a product's own record says.
type productState struct {
	name       string // "" where the product has none
	createdAt  time.Time
	generation int64
}

var errNoResource = &Error{NotFound, "no such resource"}

type redisProduct struct {
	engine  *redis.Engine
	backups Backups
}

func (p redisProduct) create(ctx context.Context, acct, id, name string) error {
	_, err := p.engine.CreateDatabase(ctx, redis.DatabaseOptions{ID: id, Name: name, Account: acct})
	if errors.Is(err, redis.ErrDatabaseExists) {
		return nil
	}
	return err
}

// own makes the account's resources share their turns.
func (p redisProduct) own(ctx context.Context, acct, id string) error {
	return p.found(p.engine.OwnDatabase(ctx, id, acct))
}

func (p redisProduct) rename(ctx context.Context, id, name string) error {
	return p.found(p.engine.RenameDatabase(ctx, id, name))
}

func (p redisProduct) remove(ctx context.Context, id string) error {
	if p.backups != nil {
		if err := p.backups.Forget(ctx, id); err != nil {
			return err
		}
	}
	err := p.engine.DeleteDatabase(ctx, id)
	if errors.Is(err, redis.ErrNoDatabase) {
		return nil
	}
	return err
}

func (p redisProduct) state(ctx context.Context, id string) (productState, error) {
	db, err := p.engine.Database(ctx, id)
	if err != nil {
		return productState{}, p.found(err)
	}
	return productState{db.Name, db.CreatedAt, db.CredentialGeneration}, nil
}

func (p redisProduct) reset(ctx context.Context, id string) error {
	_, err := p.engine.ResetCredentials(ctx, id)
	return p.found(err)
}

func (p redisProduct) revoke(ctx context.Context, id, credential string, expires time.Time) error {
	return p.found(p.engine.RevokeCredential(ctx, id, credential, expires))
}

func (p redisProduct) found(err error) error {
	if errors.Is(err, redis.ErrNoDatabase) {
		return errNoResource
	}
	return err
}

type kafkaProduct struct{ engine *kafka.Engine }

func (p kafkaProduct) create(ctx context.Context, acct, id, name string) error {
	_, err := p.engine.CreateCluster(ctx, kafka.ClusterOptions{ID: id, Name: name, Account: acct})
	if kafka.IsKind(err, kafka.Exists) {
		return nil
	}
	return err
}

func (p kafkaProduct) own(ctx context.Context, acct, id string) error {
	return p.found(p.engine.OwnCluster(ctx, id, acct))
}

func (p kafkaProduct) rename(ctx context.Context, id, name string) error {
	return p.found(p.engine.RenameCluster(ctx, id, name))
}

func (p kafkaProduct) remove(ctx context.Context, id string) error {
	err := p.engine.DeleteCluster(ctx, id)
	if kafka.IsKind(err, kafka.NotFound) {
		return nil
	}
	return err
}

func (p kafkaProduct) state(ctx context.Context, id string) (productState, error) {
	c, err := p.engine.Cluster(ctx, id)
	if err != nil {
		return productState{}, p.found(err)
	}
	return productState{c.Name, c.CreatedAt, c.CredentialGeneration}, nil
}

func (p kafkaProduct) reset(ctx context.Context, id string) error {
	_, err := p.engine.ResetCredentials(ctx, id)
	return p.found(err)
}

func (p kafkaProduct) revoke(ctx context.Context, id, credential string, expires time.Time) error {
	return p.found(p.engine.RevokeCredential(ctx, id, credential, expires))
}

func (p kafkaProduct) found(err error) error {
	if kafka.IsKind(err, kafka.NotFound) {
		return errNoResource
	}
	return err
}

type qstashProduct struct{ engine *qstash.Engine }

func (p qstashProduct) create(ctx context.Context, acct, id, _ string) error {
	_, err := p.engine.CreateAccount(ctx, id, qstash.Keys{})
	if err != nil && !errors.Is(err, qstash.ErrAccountExists) {
		return err
	}
	return p.engine.OwnAccount(ctx, id, acct)
}

func (p qstashProduct) own(ctx context.Context, acct, id string) error {
	return p.found(p.engine.OwnAccount(ctx, id, acct))
}

// rename has nothing to do: QStash's accounts have no name of their own.
func (p qstashProduct) rename(context.Context, string, string) error { return nil }

func (p qstashProduct) remove(ctx context.Context, id string) error {
	err := p.engine.DeleteAccount(ctx, id)
	if errors.Is(err, qstash.ErrNoAccount) {
		return nil
	}
	return err
}

func (p qstashProduct) state(ctx context.Context, id string) (productState, error) {
	a, err := p.engine.Account(ctx, id)
	if err != nil {
		return productState{}, p.found(err)
	}
	return productState{"", a.CreatedAt, a.CredentialGeneration}, nil
}

func (p qstashProduct) reset(ctx context.Context, id string) error {
	return p.found(p.engine.ResetCredentials(ctx, id))
}

func (p qstashProduct) revoke(ctx context.Context, id, credential string, expires time.Time) error {
	return p.found(p.engine.RevokeCredential(ctx, id, credential, expires))
}

func (p qstashProduct) found(err error) error {
	if errors.Is(err, qstash.ErrNoAccount) {
		return errNoResource
	}
	return err
}

// absent stands for a product that is not deployed any more.
type absent struct{ name Product }

func (p absent) err() error { return refuse(Invalid, "%s is not deployed", p.name) }

func (p absent) create(context.Context, string, string, string) error { return p.err() }
func (p absent) own(context.Context, string, string) error            { return p.err() }
func (p absent) rename(context.Context, string, string) error         { return p.err() }
func (p absent) remove(context.Context, string) error                 { return p.err() }
func (p absent) reset(context.Context, string) error                  { return p.err() }
func (p absent) revoke(context.Context, string, string, time.Time) error {
	return p.err()
}
func (p absent) state(context.Context, string) (productState, error) {
	return productState{}, p.err()
}
