package console

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

const (
	sessionTime = 7 * 24 * time.Hour // after which one has to sign in again

	attemptWindow   = 15 * time.Minute
	maxAttempts     = 20 // to sign in that fail, of one address, in a window
	attemptsKeptFor = 2 * attemptWindow
)

// attrJSON is the attribute of items that are one JSON text; attrCount counts attempts.
const (
	attrJSON  = "j"
	attrCount = "n"
)

// session is what is kept of a browser that has signed in. Only a hash of its secret is stored.
type session struct {
	Account string    `json:"-"`
	By      string    `json:"by"` // fingerprint of the API key that began it, with which it ends; or byLink
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// byLink stands for a sign-in link, which whoever runs the deployment makes. No API key is known then.
const byLink = "link"

// link is what is kept of a sign-in link.
type link struct {
	Account string    `json:"account"`
	Expires time.Time `json:"expires"`
}

// sessions keeps sessions, sign-in links and failed attempts to sign in, in the control table:
//
//	item      partition             sort key               attributes
//	session   "xs" account          SHA-256 of the secret  j: session
//	link      "xl" SHA-256 of it    "l"                    j: link
//	attempts  "xa" SHA-256 of whom  number of the window   n: how many
//
// A session's secret begins with its account, so one read finds it.
type sessions struct {
	store store.Store
	now   func() time.Time
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return string(sum[:])
}

func sessionKey(secret string) (key store.Key, account string, ok bool) {
	account, random, ok := strings.Cut(secret, ".")
	if !ok || account == "" || len(account) > 128 || len(random) != 43 {
		return store.Key{}, "", false
	}
	return store.Key{Partition: "xs" + account, Sort: hashed(secret)}, account, true
}

func linkKey(secret string) store.Key { return store.Key{Partition: "xl" + hashed(secret), Sort: "l"} }

func withTTL(v any, expires time.Time) (store.Attrs, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return store.NewAttrs(
		store.Attr{Name: attrJSON, Value: store.Bytes(string(text))},
		store.Attr{Name: store.TTLAttr, Value: store.Int(expires.Unix() + 1)},
	), nil
}

// create begins a session and returns its secret. by is what it was begun with, see session.By.
func (s sessions) create(ctx context.Context, account, by string) (string, error) {
	secret := account + "." + newSecret()
	key, _, ok := sessionKey(secret)
	if !ok {
		return "", fmt.Errorf("beginning a session: account id %q", account)
	}
	now := s.now().UTC()
	attrs, err := withTTL(session{By: by, Created: now, Expires: now.Add(sessionTime)}, now.Add(sessionTime))
	if err != nil {
		return "", fmt.Errorf("beginning a session: %w", err)
	}
	if _, err := s.store.Apply(ctx, store.Put(key, attrs, nil)); err != nil {
		return "", fmt.Errorf("beginning a session: %w", err)
	}
	return secret, nil
}

// find reads a session; nil if there is none, or it is over.
func (s sessions) find(ctx context.Context, secret string) (*session, error) {
	key, account, ok := sessionKey(secret)
	if !ok {
		return nil, nil
	}
	attrs, err := s.store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	if attrs == nil {
		return nil, nil
	}
	found := &session{Account: account}
	if err := json.Unmarshal([]byte(attrs.Get(attrJSON).Str()), found); err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	if !s.now().Before(found.Expires) {
		return nil, nil
	}
	return found, nil
}

// end ends a session.
func (s sessions) end(ctx context.Context, secret string) error {
	key, _, ok := sessionKey(secret)
	if !ok {
		return nil
	}
	if _, err := s.store.Apply(ctx, store.Delete(key, nil)); err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return nil
}

// endOthers ends all sessions of an account but one.
func (s sessions) endOthers(ctx context.Context, secret string) error {
	keep, _, ok := sessionKey(secret)
	if !ok {
		return errors.New("ending the other sessions: no session")
	}
	q := store.Query{Partition: keep.Partition}
	for {
		page, err := s.store.Query(ctx, q)
		if err != nil {
			return fmt.Errorf("ending the other sessions: %w", err)
		}
		var gone []store.Key
		for _, it := range page.Items {
			if it.Key != keep {
				gone = append(gone, it.Key)
			}
		}
		if err := s.store.Load(ctx, nil, gone); err != nil {
			return fmt.Errorf("ending the other sessions: %w", err)
		}
		if !page.More {
			return nil
		}
		q = q.Next(page)
	}
}

// newLink makes a link's secret, which opens an account once.
func (s sessions) newLink(ctx context.Context, account string, valid time.Duration) (string, error) {
	secret, expires := newSecret(), s.now().UTC().Add(valid)
	attrs, err := withTTL(link{account, expires}, expires)
	if err != nil {
		return "", fmt.Errorf("making a sign-in link: %w", err)
	}
	if _, err := s.store.Apply(ctx, store.Put(linkKey(secret), attrs, nil)); err != nil {
		return "", fmt.Errorf("making a sign-in link: %w", err)
	}
	return secret, nil
}

// useLink returns the account that a link opens, "" if it opens none, and makes it invalid.
func (s sessions) useLink(ctx context.Context, secret string) (string, error) {
	old, err := s.store.Apply(ctx, store.Delete(linkKey(secret), store.Exists(attrJSON)))
	if errors.As(err, new(*store.ConditionError)) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("using a sign-in link: %w", err)
	}
	var l link
	if err := json.Unmarshal([]byte(old.Get(attrJSON).Str()), &l); err != nil {
		return "", fmt.Errorf("using a sign-in link: %w", err)
	}
	if !s.now().Before(l.Expires) {
		return "", nil
	}
	return l.Account, nil
}

// failed counts a failed attempt to sign in. It reports how long to wait if there have been too many of
// who makes it, such as an address.
func (s sessions) failed(ctx context.Context, who string) (time.Duration, error) {
	now := s.now()
	window := now.UnixNano() / int64(attemptWindow)
	old, err := s.store.Apply(ctx, store.Update(
		store.Key{Partition: "xa" + hashed(who), Sort: strconv.FormatInt(window, 10)}, nil,
		store.Add(attrCount, attrCount, 1),
		store.Set(store.TTLAttr, store.Int(now.Add(attemptsKeptFor).Unix())),
	))
	if err != nil {
		return 0, fmt.Errorf("counting an attempt to sign in: %w", err)
	}
	if old.Get(attrCount).Num() >= maxAttempts {
		return time.Unix(0, (window+1)*int64(attemptWindow)).Sub(now), nil
	}
	return 0, nil
}
