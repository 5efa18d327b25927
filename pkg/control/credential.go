package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// Credential is what tokens of a resource are minted from.
type Credential struct {
	ID           string          `json:"id"`
	Resource     string          `json:"resource"`
	Name         string          `json:"name"`
	Default      bool            `json:"default,omitempty"` // the resource always has it
	Scope        token.Scope     `json:"scope"`
	Rules        []string        `json:"rules,omitempty"`        // of Redis, in the words of ACL SETUSER
	Topics       token.TopicRule `json:"topics,omitzero"`        // of Kafka
	Groups       token.GroupRule `json:"groups,omitempty"`       // of Kafka
	Destinations []string        `json:"destinations,omitempty"` // of QStash, see token.Claims.MayDeliver
	CreatedAt    time.Time       `json:"created"`
	Expires      time.Time       `json:"expires,omitzero"`

	// Generation is the resource's when it was issued; defaults are always of the present one.
	Generation int64 `json:"generation,omitempty"`
}

// CredentialOptions describe a new credential.
type CredentialOptions struct {
	Name         string
	Scope        token.Scope // "": token.ReadWrite
	Rules        []string
	Topics       token.TopicRule
	Groups       token.GroupRule
	Destinations []string
	Expires      time.Time // zero: never
}

// Token is what a client needs of a credential.
type Token struct {
	Text     string // what it sends: the bearer, of Kafka the password
	Username string // of Kafka, that goes with it
}

// MaxCredentials bounds the credentials of a resource.
const MaxCredentials = 500

// Ids of default credentials.
const (
	DefaultCredential  = "default"
	ReadOnlyCredential = "default-read-only" // of Redis
)

// defaultCredentials are those that a new resource has.
func defaultCredentials(r *Resource) []Credential {
	list := []Credential{{ID: DefaultCredential, Name: "default", Scope: token.ReadWrite}}
	if r.Product == Redis {
		list = append(list, Credential{ID: ReadOnlyCredential, Name: "read-only", Scope: token.ReadOnly})
	}
	for i := range list {
		list[i].Resource, list[i].Default, list[i].CreatedAt = r.ID, true, r.CreatedAt
	}
	return list
}

// Credentials lists the credentials of a resource, the default ones first, then as they
// were issued. Those that have expired are among them.
func (e *Engine) Credentials(ctx context.Context, acct, res string) ([]Credential, error) {
	r, err := e.Resource(ctx, acct, res)
	if err != nil {
		return nil, err
	}
	return e.credentials(ctx, r)
}

func (e *Engine) credentials(ctx context.Context, r *Resource) ([]Credential, error) {
	state, err := e.productOf(r).state(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	items, err := e.queryAll(ctx, store.Query{Partition: resourceKey(r.ID).Partition, From: "c", To: "d"})
	if err != nil {
		return nil, fmt.Errorf("reading the credentials of %s: %w", r.ID, err)
	}
	var list []Credential
	for _, it := range items {
		var c Credential
		if err := decode(it.Key, it.Attrs, &c); err != nil {
			return nil, err
		}
		if c.Default {
			c.Generation = state.generation
		}
		if c.Generation == state.generation {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b Credential) int {
		if a.Default != b.Default {
			if a.Default {
				return -1
			}
			return 1
		}
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	return list, nil
}

// Credential reads a credential. The error is of kind NotFound if there is none, or it
// was revoked.
func (e *Engine) Credential(ctx context.Context, acct, res, id string) (*Resource, *Credential, error) {
	r, err := e.Resource(ctx, acct, res)
	if err != nil {
		return nil, nil, err
	}
	none := refuse(NotFound, "no such credential")
	if id == "" || len(id) > maxName {
		return nil, nil, none
	}
	c := &Credential{}
	ok, err := e.read(ctx, credentialKey(res, id), c)
	if err != nil {
		return nil, nil, fmt.Errorf("reading credential %s of %s: %w", id, res, err)
	}
	if !ok {
		return nil, nil, none
	}
	state, err := e.productOf(r).state(ctx, res)
	if err != nil {
		return nil, nil, err
	}
	if c.Default {
		c.Generation = state.generation
	}
	if c.Generation != state.generation {
		return nil, nil, none
	}
	return r, c, nil
}

// Issue makes a credential.
func (e *Engine) Issue(ctx context.Context, acct, res string, o CredentialOptions) (*Credential, error) {
	have, err := e.Credentials(ctx, acct, res)
	if err != nil {
		return nil, err
	}
	if len(have) >= MaxCredentials {
		return nil, refuse(Quota, "a resource can have %d credentials", MaxCredentials)
	}
	r, err := e.Resource(ctx, acct, res)
	if err != nil {
		return nil, err
	}
	state, err := e.productOf(r).state(ctx, res)
	if err != nil {
		return nil, err
	}
	c := &Credential{
		ID: strings.ToLower(rand.Text()), Resource: res, Name: o.Name, Scope: o.Scope, Rules: o.Rules, Topics: o.Topics, Groups: o.Groups,
		Destinations: o.Destinations, CreatedAt: e.stamp(), Expires: o.Expires.UTC().Truncate(time.Second), Generation: state.generation,
	}
	if c.Scope == "" {
		c.Scope = token.ReadWrite
	}
	if o.Expires.IsZero() {
		c.Expires = time.Time{}
	}
	if err := e.checkCredential(ctx, r, c); err != nil {
		return nil, err
	}
	if _, err := e.store.Apply(ctx, store.Put(credentialKey(res, c.ID), encode(c), store.Absent(attrJSON))); err != nil {
		return nil, fmt.Errorf("issuing a credential: %w", err)
	}
	return c, nil
}

// checkCredential refuses a new credential that makes no sense for its resource.
func (e *Engine) checkCredential(ctx context.Context, r *Resource, c *Credential) error {
	if err := checkName(c.Name); err != nil {
		return err
	}
	switch {
	case c.Scope != token.ReadWrite && c.Scope != token.ReadOnly:
		return refuse(Invalid, "invalid scope: it is %s or %s", token.ReadWrite, token.ReadOnly)
	case len(c.Rules) > 0 && r.Product != Redis:
		return refuse(Invalid, "rules are for Redis")
	case c.Topics != (token.TopicRule{}) && r.Product != Kafka:
		return refuse(Invalid, "topics are for Kafka")
	case c.Groups != "" && r.Product != Kafka:
		return refuse(Invalid, "groups are for Kafka")
	case len(c.Destinations) > 0 && r.Product != QStash:
		return refuse(Invalid, "destinations are for QStash")
	case !c.Expires.IsZero() && !c.Expires.After(e.now()):
		return refuse(Invalid, "the credential would have expired already")
	}
	if len(c.Rules) > 0 {
		if _, err := e.redis.AccessOf(c.Rules); err != nil {
			return refuse(Invalid, "%s", strings.TrimPrefix(err.Error(), "redis: "))
		}
	}
	// Whatever else cannot be put into a token.
	if _, _, err := e.mint(ctx, r, c); err != nil {
		return refuse(Invalid, "%s", strings.TrimPrefix(err.Error(), "minting a token: "))
	}
	return nil
}

// Token makes the token of a credential, the same each time, but that another signing key
// signs it after a rotation.
func (e *Engine) Token(ctx context.Context, acct, res, id string) (Token, error) {
	r, c, err := e.Credential(ctx, acct, res, id)
	if err != nil {
		return Token{}, err
	}
	t, claims, err := e.mint(ctx, r, c)
	if err == nil && r.Product == Kafka && e.kafka != nil {
		e.keepPassword(ctx, claims, t.Text)
	}
	return t, err
}

// mint makes the token of a credential, and returns what it says, with the key that signed it.
func (e *Engine) mint(ctx context.Context, r *Resource, c *Credential) (Token, token.Claims, error) {
	signer, err := e.signer(ctx)
	if err != nil {
		return Token{}, token.Claims{}, err
	}
	claims := token.Claims{
		CredentialID: c.ID, Resource: r.ID, Products: []string{string(r.Product)}, Scope: c.Scope, Rules: c.Rules,
		Topics: c.Topics, Groups: c.Groups, Destinations: c.Destinations, Generation: c.Generation, IssuedAt: c.CreatedAt, Expires: c.Expires,
	}
	text, err := signer.Mint(claims)
	claims.KeyID = signer.KeyID()
	if err != nil {
		return Token{}, token.Claims{}, err
	}
	switch r.Product {
	case Kafka:
		return Token{Text: text, Username: claims.KafkaUsername()}, claims, nil
	case QStash:
		return Token{Text: token.QStashEnvelope(r.ID, text)}, claims, nil
	}
	return Token{Text: text}, claims, nil
}

// keepPassword makes a password known to Kafka's clients that prove to know it without sending it. What was
// kept once by this process is not looked at again. If it fails, the next time that the token is shown tries again.
func (e *Engine) keepPassword(ctx context.Context, claims token.Claims, password string) {
	sum := sha256.Sum256([]byte(password))
	if _, known := e.kept.Get(sum); known {
		return
	}
	begun := e.kept.Begin()
	if err := e.kafka.KeepPassword(ctx, claims, password); err != nil {
		e.log.WarnContext(ctx, "a password is not known to SCRAM", "credential", claims.CredentialID, "error", err)
		return
	}
	e.kept.Put(sum, struct{}{}, begun)
}

// Revoke makes a credential invalid. The default ones can only be reset.
func (e *Engine) Revoke(ctx context.Context, acct, res, id string) error {
	r, c, err := e.Credential(ctx, acct, res, id)
	if err != nil {
		return err
	}
	if c.Default {
		return refuse(Invalid, "a default credential cannot be revoked: reset the resource's credentials instead")
	}
	if c.Expires.IsZero() || c.Expires.Add(token.Leeway).After(e.now()) {
		if err := e.productOf(r).revoke(ctx, res, id, c.Expires); err != nil {
			return fmt.Errorf("revoking credential %s of %s: %w", id, res, err)
		}
	}
	if _, err := e.store.Apply(ctx, store.Delete(credentialKey(res, id), nil)); err != nil {
		return fmt.Errorf("revoking credential %s of %s: %w", id, res, err)
	}
	return nil
}

// Reset makes all credentials of a resource invalid and renews the default ones.
func (e *Engine) Reset(ctx context.Context, acct, res string) error {
	r, err := e.Resource(ctx, acct, res)
	if err != nil {
		return err
	}
	if err := e.productOf(r).reset(ctx, res); err != nil {
		return fmt.Errorf("resetting the credentials of %s: %w", res, err)
	}
	state, err := e.productOf(r).state(ctx, res)
	if err != nil {
		return err
	}
	// Those of a generation that is over are only clutter.
	items, err := e.queryAll(ctx, store.Query{Partition: resourceKey(res).Partition, From: "c", To: "d"})
	if err != nil {
		return fmt.Errorf("resetting the credentials of %s: %w", res, err)
	}
	var gone []store.Key
	for _, it := range items {
		var c Credential
		if err := decode(it.Key, it.Attrs, &c); err != nil {
			return err
		}
		if !c.Default && c.Generation != state.generation {
			gone = append(gone, it.Key)
		}
	}
	if err := e.store.Load(ctx, nil, gone); err != nil {
		return fmt.Errorf("resetting the credentials of %s: %w", res, err)
	}
	return nil
}
