package wire_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/skystash/skystash/pkg/token"
)

// keep makes a credential known to SCRAM.
func (b *broker) keep(c credential) {
	b.Helper()
	claims, err := token.Unverified(c.password)
	if err == nil {
		err = b.engine.KeepPassword(b.Context(), claims, c.password)
	}
	if err != nil {
		b.Fatal(err)
	}
}

func (c credential) scram(password string) map[string]sasl.Mechanism {
	auth := scram.Auth{User: c.user, Pass: password}
	return map[string]sasl.Mechanism{"SCRAM-SHA-256": auth.AsSha256Mechanism(), "SCRAM-SHA-512": auth.AsSha512Mechanism()}
}

func TestScramProvesAPasswordWithoutSendingIt(t *testing.T) {
	b := newBroker(t)
	me := b.mint(func(c *token.Claims) { c.Topics = token.TopicRule{Permission: token.PermitProduce, Topics: "bl*"} })
	b.keep(me)
	b.keep(me) // as often as the password is shown
	other := b.mint(nil)
	for name, m := range me.scram(me.password) {
		c := b.client(m, kgo.DefaultProduceTopic("blue"))
		if err := c.ProduceSync(b.ctx(), kgo.StringRecord("v")).FirstErr(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.ProduceSync(b.ctx(), &kgo.Record{Topic: "red", Value: []byte("v")}).FirstErr(); err == nil {
			t.Errorf("%s: the credential's rule does not hold", name)
		}
	}
	refused := func(what string, all map[string]sasl.Mechanism) {
		t.Helper()
		var tries sync.WaitGroup
		for name, m := range all {
			c := b.client(m, kgo.RequestRetries(0))
			tries.Go(func() {
				if err := c.Ping(b.Context()); err == nil {
					t.Errorf("%s: %s is let in", name, what)
				}
			})
		}
		tries.Wait()
	}
	refused("another password", me.scram(other.password))
	refused("a password that is not known", other.scram(other.password))
	if err := b.engine.RevokeCredential(t.Context(), b.cluster.ID, me.id, time.Time{}); err != nil {
		t.Fatal(err)
	}
	refused("a revoked credential", me.scram(me.password))
}

// An unknown user is asked for a proof like any other, with the same salt each time.
func TestScramOfUnknownUsersLooksLikeAnyOther(t *testing.T) {
	b := newBroker(t)
	salts := map[string]bool{}
	for range 2 {
		s := b.dial()
		s.handshake("SCRAM-SHA-512")
		resp := s.authenticate("n,,n=bm9ib2R5JG5v,r=abc")
		if resp.ErrorCode != 0 {
			t.Fatalf("%+v", resp)
		}
		_, salt, _ := strings.Cut(string(resp.SASLAuthBytes), ",s=")
		salts[salt] = true
		s.wantCode("a proof", s.authenticate("c=biws,r=abc,p=eHh4").ErrorCode, kerr.SaslAuthenticationFailed)
	}
	if len(salts) != 1 {
		t.Errorf("salts %v", salts)
	}
}

func TestScramEndsWithItsCredential(t *testing.T) {
	b := newBroker(t)
	reset := b.mint(nil)
	b.keep(reset)
	c := b.client(reset.scram(reset.password)["SCRAM-SHA-256"])
	if err := c.Ping(b.ctx()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.engine.ResetCredentials(t.Context(), b.cluster.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.client(reset.scram(reset.password)["SCRAM-SHA-256"], kgo.RequestRetries(0)).Ping(b.ctx()); err == nil {
		t.Error("a credential of an older generation is let in")
	}
}
