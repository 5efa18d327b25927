package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/kafka/scram"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// Password is what is kept of a credential's password, for clients that prove to know it without sending it
// (SCRAM). It is made when the password is, since nobody has that afterwards.
type Password struct {
	Claims token.Claims // as the password, which is a token, says them; with the key that signed it
	SHA256 scram.Keys
	SHA512 scram.Keys
}

// Passwords are those of one credential. There are several while signing keys rotate.
type Passwords struct {
	Salt       []byte
	Iterations int
	List       []Password
}

// maxPasswords bounds the passwords of a credential. The oldest goes.
const maxPasswords = 3

// Attributes of a credential's passwords.
const (
	passwordSalt = "salt"
	passwordList = "list" // list of JSON
)

func passwordKey(cluster, credential string) store.Key {
	return store.Key{Partition: clusterPartition(cluster), Sort: "k" + credential}
}

// KeepPassword makes a password known to SCRAM, if it is not. The claims are those that it says, with the key
// that signed it. The caller has made or checked it: nobody else does.
func (e *Engine) KeepPassword(ctx context.Context, claims token.Claims, password string) error {
	key := claims.KeyID
	claims.IssuedAt, claims.NotBefore = time.Time{}, time.Time{}
	at := passwordKey(claims.Resource, claims.CredentialID)
	return e.retry.Do(ctx, func(ctx context.Context) error {
		attrs, err := e.store.Get(ctx, at)
		if err != nil {
			return fmt.Errorf("reading the passwords of credential %s: %w", claims.CredentialID, err)
		}
		known, err := passwordsOf(attrs)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(known.List, func(p Password) bool { return p.Claims.KeyID == key && p.Claims.Generation == claims.Generation }) {
			return nil
		}
		next, err := known.add(claims, password)
		if err != nil {
			return err
		}
		text, err := json.Marshal(next.List)
		if err != nil {
			return fmt.Errorf("writing the passwords of credential %s: %w", claims.CredentialID, err)
		}
		out := []store.Attr{{Name: passwordSalt, Value: store.Bytes(string(next.Salt))}, {Name: passwordList, Value: store.Bytes(string(text))}}
		if !claims.Expires.IsZero() {
			out = append(out, store.Attr{Name: store.TTLAttr, Value: store.Int(claims.Expires.Add(time.Hour).Unix())})
		}
		_, err = e.store.Apply(ctx, store.Put(at, store.NewAttrs(out...), store.Same(passwordList, attrs.Get(passwordList))))
		if _, changed := unmet(err); changed {
			return store.ErrConflict
		}
		if err != nil {
			return fmt.Errorf("writing the passwords of credential %s: %w", claims.CredentialID, err)
		}
		return nil
	})
}

// add returns the passwords with one more.
func (p Passwords) add(claims token.Claims, password string) (Passwords, error) {
	if p.Salt == nil {
		p.Salt = scram.NewSalt()
	}
	one := Password{Claims: claims}
	var err, err2 error
	one.SHA256, err = scram.SHA256.Derive(password, p.Salt, scram.Iterations)
	one.SHA512, err2 = scram.SHA512.Derive(password, p.Salt, scram.Iterations)
	list := append(slices.Clone(p.List), one)
	p.List = list[max(0, len(list)-maxPasswords):]
	return p, errors.Join(err, err2)
}

func passwordsOf(attrs store.Attrs) (p Passwords, err error) {
	if !attrs.Has(passwordSalt) {
		return Passwords{}, nil
	}
	p = Passwords{Salt: []byte(attrs.Get(passwordSalt).Str()), Iterations: scram.Iterations}
	if err := json.Unmarshal([]byte(attrs.Get(passwordList).Str()), &p.List); err != nil {
		return p, fmt.Errorf("reading the passwords of a credential: %w", err)
	}
	return p, nil
}

// Passwords reads what is kept of a credential's passwords; the zero Passwords if that is nothing.
func (e *Engine) Passwords(ctx context.Context, cluster, credential string) (Passwords, error) {
	if !validID(cluster) || credential == "" || len(credential) > maxTopicName {
		return Passwords{}, nil
	}
	attrs, err := e.store.Get(ctx, passwordKey(cluster, credential))
	if err != nil {
		return Passwords{}, fmt.Errorf("reading the passwords of a credential: %w", err)
	}
	return passwordsOf(attrs)
}
