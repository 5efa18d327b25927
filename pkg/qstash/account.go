package qstash

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/readahead"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// Account is a tenant.
type Account struct {
	ID                   string    `json:"-"`
	CreatedAt            time.Time `json:"createdAt"`
	CredentialGeneration int64     `json:"generation"` // tokens of another generation are refused
	Keys                 Keys      `json:"keys"`
	DeletedAt            time.Time `json:"deleted,omitzero"` // the account is being cleared away

	// RunDeadline is how long workflow runs may take that do not say so themselves; 0: as long as they like.
	RunDeadline time.Duration `json:"runDeadline,omitempty"`

	// Trouble is until when hosts may be in trouble, see Hosts.
	Trouble time.Time `json:"trouble,omitzero"`

	// Blocked: a limit of its usage has been reached; who serves the account takes no new messages.
	Blocked meter.Block `json:"blocked,omitzero"`

	// Owner is whose it is in the control plane: its requests share turns with those of the owner's other resources. "": not known.
	Owner string `json:"owner,omitempty"`

	// Revoked are credentials revoked one by one, as the list says.
	Revoked *revoked.Set `json:"-"`
	revoked.List
}

// Keys sign deliveries: always with the current one. Receivers also accept the next,
// so that they go on working while keys are rotated.
type Keys struct {
	Current string `json:"current"`
	Next    string `json:"next"`
}

// ErrNoAccount: there is no such account.
var ErrNoAccount = errors.New("qstash: no such account")

// ErrAccountExists: there is already an account with that id, or has been until lately.
var ErrAccountExists = errors.New("qstash: the account exists")

// Attributes of records that are one JSON text.
const attrJSON = "j"

// maxAccountID bounds the bytes of an account's id.
const maxAccountID = 128

// maxAccounts bounds the accounts that an engine remembers.
const maxAccounts = 10_000

// Account reads an account, which must not be changed.
func (e *Engine) Account(ctx context.Context, id string) (*Account, error) {
	if a, ok := e.accounts.Get(id); ok {
		return a, nil
	}
	attrs, begun, err := readahead.Get(ctx, e.store, accountKey(id), e.accounts.Begin())
	if err != nil {
		return nil, fmt.Errorf("reading account %s: %w", id, err)
	}
	if attrs == nil {
		return nil, ErrNoAccount
	}
	return e.keepAccount(ctx, id, attrs.Get(attrJSON).Str(), begun)
}

// Ahead returns a context under which Account reads an account, if it is due, in one call with what
// else the request reads then (see package readahead).
func (e *Engine) Ahead(ctx context.Context, id string) context.Context {
	if _, ok := e.accounts.Get(id); ok || id == "" || len(id) > maxAccountID {
		return ctx
	}
	ctx = readahead.With(ctx, e.store)
	readahead.Expect(ctx, accountKey(id), e.accounts.Begin())
	return ctx
}

func (e *Engine) keepAccount(ctx context.Context, id, text string, begun fresh.Read) (*Account, error) {
	a, err := parseAccount(id, text)
	if err != nil {
		return nil, err
	}
	if !a.DeletedAt.IsZero() {
		e.accounts.Forget(id)
		return nil, ErrNoAccount
	}
	if a.Revoked, err = e.revoked.Set(ctx, id, a.List); err != nil {
		return nil, err
	}
	e.accounts.Put(id, a, begun)
	return a, nil
}

func parseAccount(id, text string) (*Account, error) {
	a := &Account{}
	if err := json.Unmarshal([]byte(text), a); err != nil {
		return nil, fmt.Errorf("reading account %s: %w", id, err)
	}
	a.ID = id
	return a, nil
}

// CreateAccount creates an account; keys that are not given are made.
func (e *Engine) CreateAccount(ctx context.Context, id string, keys Keys) (*Account, error) {
	if id == "" || len(id) > maxAccountID || strings.ContainsAny(id, "/\x00") {
		return nil, invalid("invalid account id")
	}
	a := &Account{CreatedAt: e.now().UTC().Truncate(time.Second), Keys: Keys{
		Current: cmp.Or(keys.Current, e.newSigningKey()),
		Next:    cmp.Or(keys.Next, e.newSigningKey()),
	}}
	text, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("creating account %s: %w", id, err)
	}
	begun := e.accounts.Begin()
	_, err = e.store.Apply(ctx, store.Put(accountKey(id),
		store.NewAttrs(store.Attr{Name: attrJSON, Value: store.Bytes(string(text))}), store.Absent(attrJSON)))
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		return nil, ErrAccountExists
	}
	if err != nil {
		return nil, fmt.Errorf("creating account %s: %w", id, err)
	}
	return e.keepAccount(ctx, id, string(text), begun)
}

// newSigningKey makes a key of more than 160 bits.
func (e *Engine) newSigningKey() string {
	var b [28]byte
	e.random(b[:])
	key := []byte(keyPrefix)
	for _, c := range b {
		key = append(key, alphabet[int(c)%len(alphabet)])
	}
	return string(key)
}

// errRotated says that the keys were rotated meanwhile.
var errRotated = errors.New("qstash: the signing keys were rotated meanwhile")

// RotateKeys makes the next key the current one, and a new next one. If another process rotates them at the same
// time, both are one rotation: after two, receivers would know neither of the keys.
func (e *Engine) RotateKeys(ctx context.Context, acct string) (Keys, error) {
	var before, keys Keys
	err := e.changeAccountWith(ctx, acct, func(_ context.Context, a *Account) ([]store.Op, error) {
		if before == (Keys{}) {
			before = a.Keys
		}
		if keys = a.Keys; keys != before {
			return nil, errRotated
		}
		a.Keys = Keys{Current: a.Keys.Next, Next: e.newSigningKey()}
		keys = a.Keys
		return nil, nil
	})
	if errors.Is(err, errRotated) {
		return keys, nil
	}
	return keys, err
}

// Block makes those who serve the account take no new messages, until a limit's time is over; on every
// instance within Config.RecordTTL. What has been taken is delivered. The zero Block ends that.
func (e *Engine) Block(ctx context.Context, acct string, b meter.Block) error {
	return e.changeAccount(ctx, acct, func(a *Account) { a.Blocked = b })
}

// RevokeCredential makes one token invalid, on every instance within Config.RecordTTL. expires is when it expires
// anyway, zero if it does not or it is not known; the revocation is forgotten some time after.
func (e *Engine) RevokeCredential(ctx context.Context, acct, credential string, expires time.Time) error {
	return e.changeAccountWith(ctx, acct, func(ctx context.Context, a *Account) (writes []store.Op, err error) {
		a.List, writes, err = e.revoked.Add(ctx, acct, a.List, credential, expires)
		return writes, err
	})
}

// ResetCredentials makes all tokens invalid that have been made so far.
func (e *Engine) ResetCredentials(ctx context.Context, acct string) error {
	var before revoked.List
	err := e.changeAccount(ctx, acct, func(a *Account) {
		a.CredentialGeneration++
		before, a.List = a.List, revoked.List{}
	})
	if err != nil {
		return err
	}
	return e.revoked.Retire(ctx, acct, before)
}

// OwnAccount notes who has an account in the control plane.
func (e *Engine) OwnAccount(ctx context.Context, acct, owner string) error {
	if a, err := e.Account(ctx, acct); err != nil || a.Owner == owner {
		return err
	}
	return e.changeAccount(ctx, acct, func(a *Account) { a.Owner = owner })
}

// changeAccount changes an account's record.
func (e *Engine) changeAccount(ctx context.Context, id string, change func(*Account)) error {
	return e.changeAccountWith(ctx, id, func(_ context.Context, a *Account) ([]store.Op, error) {
		change(a)
		return nil, nil
	})
}

// changeAccountWith changes an account's record together with other items.
func (e *Engine) changeAccountWith(ctx context.Context, id string, change func(context.Context, *Account) ([]store.Op, error)) error {
	unlock, err := e.lock(ctx, "a", id, "")
	if err != nil {
		return err
	}
	defer unlock()
	return e.contend(ctx, func(ctx context.Context) error {
		attrs, err := e.store.Get(ctx, accountKey(id))
		if err != nil {
			return fmt.Errorf("reading account %s: %w", id, err)
		}
		if attrs == nil {
			return ErrNoAccount
		}
		a, err := parseAccount(id, attrs.Get(attrJSON).Str())
		if err != nil {
			return err
		}
		if !a.DeletedAt.IsZero() {
			return ErrNoAccount
		}
		writes, err := change(ctx, a)
		if err != nil {
			return err
		}
		text, err := json.Marshal(a)
		if err != nil {
			return err
		}
		begun := e.accounts.Begin()
		err = e.store.Commit(ctx, append(writes, store.Update(accountKey(id), store.Eq(attrJSON, attrs.Get(attrJSON)),
			store.Set(attrJSON, store.Bytes(string(text))))))
		if err != nil {
			return err
		}
		if !a.DeletedAt.IsZero() {
			e.forgetAccount(id)
			return nil
		}
		_, err = e.keepAccount(ctx, id, string(text), begun)
		return err
	}, "changing account %s", id)
}

// forgetAccount makes an account's record be read again.
func (e *Engine) forgetAccount(id string) { e.accounts.Forget(id) }

// accountIDs lists the accounts, also those that are being deleted.
func (e *Engine) accountIDs(ctx context.Context) ([]string, error) {
	var ids []string
	err := e.each(ctx, store.Query{Partition: "a"}, func(it store.Item) (bool, error) {
		ids = append(ids, it.Key.Sort)
		return true, nil
	})
	return ids, err
}

// each calls f with the items of a query, page by page, until it returns false.
func (e *Engine) each(ctx context.Context, q store.Query, f func(store.Item) (bool, error)) error {
	for {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return fmt.Errorf("querying %q: %w", q.Partition, err)
		}
		for _, it := range page.Items {
			if more, err := f(it); err != nil || !more {
				return err
			}
		}
		if !page.More {
			return nil
		}
		q = q.Next(page)
	}
}
