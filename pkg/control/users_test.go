package control_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/controltest"
	"github.com/skystash/skystash/pkg/token"
)

// attacker is a database with a credential that tries to get further than it may.
type attacker struct {
	*instance
	res  *control.Resource
	cred *control.Credential
	own  control.Token
}

func newAttacker(t *testing.T, o control.CredentialOptions) *attacker {
	w := controltest.New(t)
	res := w.Create(w.Admin, control.Redis, "r")
	if o.Expires.IsZero() {
		o.Expires = w.Now().Add(time.Hour)
	}
	o.Name = "bounded"
	cred, err := w.Control.Issue(t.Context(), w.Admin.ID, res.ID, o)
	w.OK(err)
	a := &attacker{newInstance(w), res, cred, w.Token(res, cred.ID)}
	a.do(w.Token(res, control.DefaultCredential), "SET", "secret", "hidden")
	return a
}

// do runs a command with a token and returns the answer's text.
func (a *attacker) do(tok control.Token, args ...string) string {
	a.w.Helper()
	body, err := json.Marshal(args)
	a.w.OK(err)
	_, answer := a.try(control.Redis, tok, "POST", "/", string(body))
	return answer
}

const userPassword = "correct-horse-battery"

// makeUser makes a user and returns its token.
func (a *attacker) makeUser(with control.Token, name string, rules ...string) control.Token {
	a.w.Helper()
	if got := a.do(with, append([]string{"ACL", "SETUSER", name, "on", ">" + userPassword}, rules...)...); got != `{"result":"OK"}` {
		a.w.Fatalf("ACL SETUSER is answered %s", got)
	}
	var answer struct{ Result string }
	a.w.OK(json.Unmarshal([]byte(a.do(with, "ACL", "RESTTOKEN", name, userPassword)), &answer))
	return control.Token{Text: answer.Result}
}

func (a *attacker) refuses(tok control.Token, want string, args ...string) {
	a.w.Helper()
	if got := a.do(tok, args...); !strings.Contains(got, want) {
		a.w.Errorf("%v is answered %s, want %s", args, got, want)
	}
}

func TestUsersDoNoMoreThanWhoMadeThem(t *testing.T) {
	a := newAttacker(t, control.CredentialOptions{Rules: []string{"+@all", "-flushall", "~app:*", "&app"}})
	evil := a.makeUser(a.own, "evil", "~*", "&*", "+@all")
	second := a.makeUser(evil, "second", "~*", "&*", "+@all")
	for _, tok := range []control.Token{evil, second} {
		a.refuses(tok, "NOPERM", "GET", "secret")
		a.refuses(tok, "NOPERM", "FLUSHALL")
		a.refuses(tok, "NOPERM", "PUBLISH", "other", "m")
		a.refuses(tok, `{"result":"OK"}`, "SET", "app:1", "v")
	}
	if status, answer := a.try(control.Redis, second, "GET", "/subscribe/other", ""); status == 200 {
		t.Errorf("a subscription is answered %d %s", status, answer)
	}
}

func TestOnlyItsMakerChangesAUser(t *testing.T) {
	a := newAttacker(t, control.CredentialOptions{Rules: []string{"+@all", "~app:*"}})
	owner := a.w.Token(a.res, control.DefaultCredential)
	strong := a.makeUser(owner, "strong", "~*", "+@all")
	a.refuses(a.own, "NOPERM", "ACL", "SETUSER", "strong", ">another-long-password")
	a.refuses(a.own, "NOPERM", "ACL", "DELUSER", "strong")
	a.refuses(strong, "NOPERM", "ACL", "SETUSER", "strong", ">another-long-password")
	a.refuses(strong, "hidden", "GET", "secret")

	a.makeUser(a.own, "weak", "~*", "+@all")
	a.refuses(owner, "NOPERM", "ACL", "SETUSER", "weak", "+@all")
	a.refuses(owner, `{"result":1}`, "ACL", "DELUSER", "weak")
}

func TestUsersEndWithWhoMadeThem(t *testing.T) {
	for name, end := range map[string]func(*attacker) error{
		"revocation": func(a *attacker) error {
			return a.w.Control.Revoke(a.w.Context(), a.w.Admin.ID, a.res.ID, a.cred.ID)
		},
		"expiry": func(a *attacker) error { a.w.Advance(time.Hour); return nil },
		"reset":  func(a *attacker) error { return a.w.Control.Reset(a.w.Context(), a.w.Admin.ID, a.res.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttacker(t, control.CredentialOptions{})
			first := a.makeUser(a.own, "first", "~*", "+@all")
			second := a.makeUser(first, "second", "~*", "+@all")
			a.refuses(second, "hidden", "GET", "secret")
			list, err := a.w.Control.Users(t.Context(), a.w.Admin.ID, a.res.ID)
			a.w.OK(err)
			if got := fmt.Sprint(list[0].Name, list[0].Credential == a.cred.ID, list[0].MadeBy, list[1].Name, list[1].MadeBy); got != "firsttruesecondfirst" {
				t.Errorf("listed %s", got)
			}

			a.w.OK(end(a))
			a.w.Advance(promised)
			for _, tok := range []control.Token{first, second} {
				if a.opens(control.Redis, tok) {
					t.Error("the user's token still opens the database")
				}
			}
			list, err = a.w.Control.Users(t.Context(), a.w.Admin.ID, a.res.ID)
			a.w.OK(err)
			if len(list) != 0 {
				t.Errorf("users %v are still listed", list)
			}
			// A user of the same name is a new one, which knows nothing of the old one's rules.
			owner := a.w.Token(a.res, control.DefaultCredential)
			fresh := a.makeUser(owner, "first", "~other", "+get")
			a.refuses(fresh, "NOPERM", "GET", "secret")
			if a.opens(control.Redis, second) {
				t.Error("a user comes back with a new user of its maker's name")
			}
		})
	}
}

func TestUsersEndWithTheUserThatMadeThem(t *testing.T) {
	a := newAttacker(t, control.CredentialOptions{})
	first := a.makeUser(a.own, "first", "~*", "+@all")
	second := a.makeUser(first, "second", "~*", "+@all")
	a.do(a.own, "ACL", "SETUSER", "first", "resetkeys", "~other")
	a.w.Advance(promised)
	a.refuses(second, "NOPERM", "GET", "secret")
	a.do(a.own, "ACL", "DELUSER", "first")
	a.w.Advance(promised)
	if a.opens(control.Redis, second) {
		t.Error("the user's token still opens the database")
	}
}

func TestReadOnlyCredentialsMakeNoUsers(t *testing.T) {
	a := newAttacker(t, control.CredentialOptions{Scope: token.ReadOnly, Rules: []string{"+@all", "~*"}})
	a.refuses(a.own, "NOPERM", "ACL", "SETUSER", "evil", "on", ">"+userPassword, "~*", "+@all")
}
