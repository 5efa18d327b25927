package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Account owns resources.
type Account struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"` // lower case
	Admin     bool      `json:"admin,omitempty"`
	CreatedAt time.Time `json:"created"`
}

// APIKey opens an account, together with its e-mail address. Its text is not kept.
type APIKey struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created"`

	// Metrics says that the key reads the metrics of the account's resources, and opens nothing else.
	Metrics bool `json:"metrics,omitempty"`
}

type storedAPIKey struct {
	APIKey
	Hash string `json:"hash"` // SHA-256 of the text, hexadecimal
}

// MaxAPIKeys bounds the API keys of an account.
const MaxAPIKeys = 37

const (
	maxEmail  = 254 // bytes
	maxName   = 128 // bytes of a name that people give
	minAPIKey = 32  // bytes of an API key that is given
	maxAPIKey = 128
)

// bootstrapKey is the id of the key that Bootstrap makes.
const bootstrapKey = "bootstrap"

// Bootstrap sees to it that there is an account with an e-mail address, which may
// administrate the deployment, that it has an API key, and, where there is a keyring, the
// deployment a signing key. The text of the API key is returned by the call that makes it; otherwise it is "".
func (e *Engine) Bootstrap(ctx context.Context, email string) (*Account, string, error) {
	acct, err := e.EnsureAccount(ctx, email, true)
	if err != nil {
		return nil, "", err
	}
	if e.keyring != nil {
		if err := e.EnsureSigningKey(ctx); err != nil {
			return nil, "", err
		}
	}
	keys, err := e.apiKeys(ctx, acct.ID)
	if err != nil || len(keys) > 0 {
		return acct, "", err
	}
	text := newAPIKey()
	err = e.putAPIKey(ctx, acct.ID, APIKey{ID: bootstrapKey, Name: "bootstrap", CreatedAt: e.stamp()}, text)
	if IsKind(err, Exists) { // another process has been faster
		return acct, "", nil
	}
	return acct, text, err
}

// EnsureAccount reads the account with an address, or creates it; with admin, it may administrate
// the deployment from then on.
func (e *Engine) EnsureAccount(ctx context.Context, email string, admin bool) (*Account, error) {
	acct, err := e.CreateAccount(ctx, email, admin)
	if !IsKind(err, Exists) {
		return acct, err
	}
	acct, err = e.AccountOf(ctx, email)
	if err != nil || acct.Admin || !admin {
		return acct, err
	}
	acct, _, err = change(ctx, e, accountKey(acct.ID), func(a *Account) error { a.Admin = true; return nil })
	return acct, err
}

// CreateAccount makes an account without resources and API keys. The error is of kind
// Exists if there is one with that e-mail address.
func (e *Engine) CreateAccount(ctx context.Context, email string, admin bool) (*Account, error) {
	address, err := cleanEmail(email)
	if err != nil {
		return nil, err
	}
	acct := &Account{ID: newID(), Email: address, Admin: admin, CreatedAt: e.stamp()}
	err = e.store.Commit(ctx, []store.Op{
		store.Put(addressKey(address), encode(acct.ID), store.Absent(attrJSON)),
		store.Put(accountKey(acct.ID), encode(acct), nil),
		store.Put(accountIndexKey(acct.ID), store.Attrs{}, nil),
	})
	if unmet(err) {
		return nil, refuse(Exists, "there is an account with that e-mail address")
	}
	if err != nil {
		return nil, fmt.Errorf("creating an account: %w", err)
	}
	return acct, nil
}

func cleanEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	user, host, ok := strings.Cut(email, "@")
	bad := func(r rune) bool { return r <= ' ' || r == ':' || r == 0x7f } // ':' ends the user of Basic authentication
	if !ok || user == "" || host == "" || len(email) > maxEmail || strings.ContainsFunc(email, bad) {
		return "", refuse(Invalid, "invalid e-mail address")
	}
	return email, nil
}

// AccountOf reads the account with an e-mail address. The error is of kind NotFound if there
// is none.
func (e *Engine) AccountOf(ctx context.Context, email string) (*Account, error) {
	address, err := cleanEmail(email)
	if err != nil {
		return nil, err
	}
	var id string
	ok, err := e.read(ctx, addressKey(address), &id)
	if err != nil {
		return nil, fmt.Errorf("finding an account: %w", err)
	}
	if !ok {
		return nil, refuse(NotFound, "no such account")
	}
	return e.Account(ctx, id)
}

// Account reads an account. The error is of kind NotFound if there is none.
func (e *Engine) Account(ctx context.Context, id string) (*Account, error) {
	acct := &Account{}
	ok, err := e.read(ctx, accountKey(id), acct)
	if err != nil {
		return nil, fmt.Errorf("reading account %s: %w", id, err)
	}
	if !ok {
		return nil, refuse(NotFound, "no such account")
	}
	return acct, nil
}

// Accounts lists the ids of all accounts.
func (e *Engine) Accounts(ctx context.Context) ([]string, error) {
	items, err := e.queryAll(ctx, store.Query{Partition: "i"})
	if err != nil {
		return nil, fmt.Errorf("listing the accounts: %w", err)
	}
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = it.Key.Sort
	}
	return ids, nil
}

var errUnauthorized = &Error{Unauthorized, "unauthorized"}

// Authenticate finds the account that an e-mail address and an API key open. The error is
// of kind Unauthorized if they open none, as a key does that is for metrics alone. It reads two items or so and does not bound how
// often it is asked: that is up to the caller, who knows where requests come from.
func (e *Engine) Authenticate(ctx context.Context, email, apiKey string) (*Account, error) {
	acct, _, err := e.SignIn(ctx, email, apiKey)
	return acct, err
}

// SignIn does what Authenticate does, and returns a fingerprint of the API key as well. A session that was begun
// with the key keeps the fingerprint: SignedIn tells whether the key still opens the account.
func (e *Engine) SignIn(ctx context.Context, email, apiKey string) (*Account, string, error) {
	return e.openBy(ctx, email, apiKey, false)
}

// OpenMetrics finds the account whose metrics an e-mail address and an API key may read: one for metrics alone or any other.
func (e *Engine) OpenMetrics(ctx context.Context, email, apiKey string) (*Account, error) {
	acct, _, err := e.openBy(ctx, email, apiKey, true)
	return acct, err
}

// openBy finds the account that an API key opens, also one for metrics alone if metrics is set.
func (e *Engine) openBy(ctx context.Context, email, apiKey string, metrics bool) (*Account, string, error) {
	address, err := cleanEmail(email)
	if err != nil || apiKey == "" || len(apiKey) > maxAPIKey {
		return nil, "", errUnauthorized
	}
	var id string
	ok, err := e.read(ctx, addressKey(address), &id)
	if err != nil {
		return nil, "", fmt.Errorf("authenticating: %w", err)
	}
	if !ok {
		return nil, "", errUnauthorized
	}
	keys, err := e.apiKeys(ctx, id)
	if err != nil {
		return nil, "", fmt.Errorf("authenticating: %w", err)
	}
	hash, found := hashAPIKey(apiKey), 0
	for _, k := range keys {
		if metrics || !k.Metrics {
			found |= subtle.ConstantTimeCompare([]byte(hash), []byte(k.Hash))
		}
	}
	if found != 1 {
		return nil, "", errUnauthorized
	}
	acct, err := e.Account(ctx, id)
	return acct, hash, err
}

// SignedIn reads an account whose API key was used to sign in. The error is of kind Unauthorized if the key was
// revoked since. The account and its keys are one read: they are neighbours.
func (e *Engine) SignedIn(ctx context.Context, id, fingerprint string) (*Account, error) {
	items, err := e.queryAll(ctx, store.Query{Partition: accountKey(id).Partition, From: "a", To: "l"})
	if err != nil {
		return nil, fmt.Errorf("reading account %s: %w", id, err)
	}
	var acct *Account
	valid := false
	for _, it := range items {
		switch {
		case it.Key == accountKey(id):
			acct = &Account{}
			err = decode(it.Key, it.Attrs, acct)
		case strings.HasPrefix(it.Key.Sort, "k"):
			var k storedAPIKey
			err = decode(it.Key, it.Attrs, &k)
			valid = valid || k.Hash == fingerprint && !k.Metrics
		}
		if err != nil {
			return nil, err
		}
	}
	if acct == nil || !valid {
		return nil, errUnauthorized
	}
	return acct, nil
}

func hashAPIKey(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// newAPIKey makes an API key of 256 random bits.
func newAPIKey() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (e *Engine) apiKeys(ctx context.Context, acct string) ([]storedAPIKey, error) {
	items, err := e.queryAll(ctx, store.Query{Partition: accountKey(acct).Partition, From: "k", To: "l"})
	if err != nil {
		return nil, fmt.Errorf("reading the API keys of account %s: %w", acct, err)
	}
	keys := make([]storedAPIKey, len(items))
	for i, it := range items {
		if err := decode(it.Key, it.Attrs, &keys[i]); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// APIKeys lists the API keys of an account.
func (e *Engine) APIKeys(ctx context.Context, acct string) ([]APIKey, error) {
	stored, err := e.apiKeys(ctx, acct)
	if err != nil {
		return nil, err
	}
	keys := make([]APIKey, len(stored))
	for i, k := range stored {
		keys[i] = k.APIKey
	}
	return keys, nil
}

// CreateAPIKey makes an API key and returns its text, which nobody can ask for again.
func (e *Engine) CreateAPIKey(ctx context.Context, acct, name string) (APIKey, string, error) {
	return e.createAPIKey(ctx, acct, APIKey{Name: name})
}

// CreateMetricsKey makes an API key that reads metrics and opens nothing else.
func (e *Engine) CreateMetricsKey(ctx context.Context, acct, name string) (APIKey, string, error) {
	return e.createAPIKey(ctx, acct, APIKey{Name: name, Metrics: true})
}

// createAPIKey makes an API key of which the name is known, and what it is for.
func (e *Engine) createAPIKey(ctx context.Context, acct string, key APIKey) (APIKey, string, error) {
	if err := checkName(key.Name); err != nil {
		return APIKey{}, "", err
	}
	keys, err := e.apiKeys(ctx, acct)
	if err != nil {
		return APIKey{}, "", err
	}
	if len(keys) >= MaxAPIKeys {
		return APIKey{}, "", refuse(Quota, "an account can have %d API keys", MaxAPIKeys)
	}
	text := newAPIKey()
	key.ID, key.CreatedAt = newID(), e.stamp()
	if err := e.putAPIKey(ctx, acct, key, text); err != nil {
		return APIKey{}, "", err
	}
	return key, text, nil
}

// EnsureAPIKey makes a text of 32 bytes or more that is known in advance an API key of an
// account, under an id of its own. It is for programs that keep the key themselves.
func (e *Engine) EnsureAPIKey(ctx context.Context, acct, id, text string) error {
	if len(text) < minAPIKey || len(text) > maxAPIKey {
		return refuse(Invalid, "an API key has %d to %d bytes", minAPIKey, maxAPIKey)
	}
	record := storedAPIKey{APIKey{ID: id, Name: id, CreatedAt: e.stamp()}, hashAPIKey(text)}
	if _, err := e.store.Apply(ctx, store.Put(apiKeyKey(acct, id), encode(record), nil)); err != nil {
		return fmt.Errorf("writing an API key: %w", err)
	}
	return nil
}

func (e *Engine) putAPIKey(ctx context.Context, acct string, key APIKey, text string) error {
	record := storedAPIKey{key, hashAPIKey(text)}
	_, err := e.store.Apply(ctx, store.Put(apiKeyKey(acct, key.ID), encode(record), store.Absent(attrJSON)))
	if unmet(err) {
		return refuse(Exists, "there is such an API key")
	}
	if err != nil {
		return fmt.Errorf("writing an API key: %w", err)
	}
	return nil
}

// RevokeAPIKey makes an API key invalid at once. The last one of an account stays: without
// it, nobody could come in.
func (e *Engine) RevokeAPIKey(ctx context.Context, acct, id string) error {
	keys, err := e.apiKeys(ctx, acct)
	if err != nil {
		return err
	}
	opening := 0 // those that open the account
	for _, k := range keys {
		if !k.Metrics {
			opening++
		}
	}
	for _, k := range keys {
		if k.ID != id {
			continue
		}
		if opening == 1 && !k.Metrics {
			return refuse(Invalid, "the last API key of an account cannot be revoked: create another one first")
		}
		if _, err := e.store.Apply(ctx, store.Delete(apiKeyKey(acct, id), nil)); err != nil {
			return fmt.Errorf("revoking an API key: %w", err)
		}
		return nil
	}
	return refuse(NotFound, "no such API key")
}

// checkName checks a name that people give to something.
func checkName(name string) error {
	bad := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }
	if strings.TrimSpace(name) == "" || len(name) > maxName || strings.ContainsFunc(name, bad) {
		return refuse(Invalid, "invalid name: it must have 1 to %d characters, none of them a control character", maxName)
	}
	return nil
}
