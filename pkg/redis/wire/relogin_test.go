package wire_test

import (
	"testing"

	"github.com/skystash/skystash/pkg/token"
)

// What a connection receives ends with the credential that it was asked for with: no other login keeps it up.
func TestAnotherLoginKeepsNoSubscription(t *testing.T) {
	s := newServer(t, nil)
	stolen := s.mint(func(c *token.Claims) { c.CredentialID = "stolen" })
	fresh := s.mint(func(c *token.Claims) { c.CredentialID = "fresh" })
	foreign := s.mint(func(c *token.Claims) { c.Resource, c.CredentialID = "other", "own" })
	lesser := s.mint(func(c *token.Claims) { c.Rules = []string{"+@all", "~*", "&news:*"} })
	const refused = "-ERR This connection receives what the new login may not: it keeps its login, RESET ends it|"
	for _, listen := range []string{"SUBSCRIBE secret", "PSUBSCRIBE *", "MONITOR"} {
		c := s.dial()
		c.send("HELLO 3 AUTH default " + stolen)
		c.reply()
		c.monitors = listen == "MONITOR"
		c.send(listen)
		c.reply()
		for _, login := range []string{foreign, lesser} {
			c.expect("AUTH "+login, refused)
			c.expect("HELLO 2 AUTH default "+login, refused)
		}
		c.expect("AUTH "+fresh, "+OK|") // a client that renews its token stays subscribed
		c.expect("RESET", "+RESET|")
		c.expect("AUTH "+foreign, "+OK|")
	}
}

// Keys that were watched in one database are not looked at in another.
func TestAnotherDatabaseWatchesNothing(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	c.expect("SET k v", "+OK|")
	c.expect("WATCH k", "+OK|")
	c.expect("AUTH "+s.mint(func(c *token.Claims) { c.Resource = "other" }), "+OK|")
	c.send("MULTI", "GET k", "EXEC")
	c.next("+OK|")
	c.next("+QUEUED|")
	c.next("*1|$-1|")
}

// A user who may hear no more hears no more, also on connections that are there.
func TestSubscriptionsEndWithTheRightToThem(t *testing.T) {
	s := newServer(t, nil)
	admin := s.login()
	admin.expect("ACL SETUSER alice on >correct-horse-battery ~* &* +@all", "+OK|")
	var conns []*client
	for _, listen := range []string{"SUBSCRIBE secret", "PSUBSCRIBE secret*", "MONITOR"} {
		c := s.dial()
		c.expect("AUTH db/alice correct-horse-battery", "+OK|")
		c.monitors = listen == "MONITOR"
		c.send(listen)
		c.reply()
		conns = append(conns, c)
	}
	kept := s.dial()
	kept.expect("AUTH db/alice correct-horse-battery", "+OK|")
	kept.expect("SUBSCRIBE news", "*3|$9|subscribe|$4|news|:1|")
	admin.expect("ACL SETUSER alice resetchannels &news", "+OK|")
	for _, c := range conns {
		c.ends()
	}
	kept.expect("PING", "*2|$4|pong|$0||")
}
