package console

import (
	"net/http"
	"slices"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
	"github.com/skystash/skystash/pkg/token"
)

func resourcePages() []*page {
	return []*page{
		{route: "GET /r/{id}", title: "Connect", view: "resource", nav: nav{groupMain, "Connect", "plug"}, serve: showResource},
		{route: "POST /r/{id}/connection", title: "Connect", view: "resource", serve: showConnection},
		{route: "POST /r/{id}/snippets/{snippet}", serve: copySnippet},
		{route: "POST /r/{id}/signing-keys/{key}", product: control.QStash, serve: copySigningKey},
		{route: "POST /r/{id}/signing-keys/rotate", product: control.QStash, serve: rotateDeliveryKeys},
	}
}

// home is what the view "resource" shows.
type home struct {
	Today      meter.Usage
	Month      meter.Usage
	Cost       price.Month
	Storage    meter.Storage
	Status     meter.Status
	Connection connection
}

// connection is how clients connect to a resource.
type connection struct {
	URL      string
	Tokens   []connectionToken
	Keys     []connectionToken // of QStash: what receivers check deliveries with
	Regions  []string          // of Redis: where it is read besides
	Snippets []snippet
	Revealed bool // tokens are shown
}

// connectionToken is a default credential.
type connectionToken struct {
	ID, Label, Help string
	Username        string // of Kafka
	Text            string // masked unless they are shown
}

func showResource(r *request) error {
	s, err := r.h.summarize(r.Context(), r.resource)
	if err != nil {
		return err
	}
	data := home{Month: s.Month, Cost: s.Cost, Storage: s.Storage, Status: s.Status}
	if data.Today, err = r.h.book.Day(r.Context(), usageOf(r.resource), r.h.now()); err != nil {
		return err
	}
	if data.Connection, err = r.connection(false); err != nil {
		return err
	}
	return r.render(data)
}

// showConnection shows the tokens, or hides them again.
func showConnection(r *request) error {
	c, err := r.connection(r.form("reveal") != "")
	if err != nil {
		return err
	}
	return r.fragment("resource", "connection", c)
}

// copySnippet answers with a snippet, its tokens in clear.
func copySnippet(r *request) error {
	c, err := r.connection(true)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(c.Snippets, func(s snippet) bool { return s.ID == r.PathValue("snippet") })
	if i < 0 {
		return edge.Refuse(http.StatusNotFound, "There is no such snippet.")
	}
	return r.text(c.Snippets[i].Text)
}

// copySigningKey answers with one of the keys that sign QStash's deliveries.
func copySigningKey(r *request) error {
	acct, err := r.h.qstash.Account(r.Context(), r.resource.ID)
	if err != nil {
		return err
	}
	switch r.PathValue("key") {
	case "current":
		return r.text(acct.Keys.Current)
	case "next":
		return r.text(acct.Keys.Next)
	}
	return errNoPage
}

// rotateDeliveryKeys makes the next key the current one.
func rotateDeliveryKeys(r *request) error {
	if _, err := r.h.qstash.RotateKeys(r.Context(), r.resource.ID); err != nil {
		return err
	}
	return r.redirect(r.path("credentials"), "Deliveries are signed with what was the next key. Give receivers the new pair.")
}

// mask stands for a token that is not shown.
const mask = "••••••••••••••••••••••••"

func (r *request) connection(reveal bool) (connection, error) {
	c := connection{URL: r.resource.URL, Revealed: reveal}
	if r.resource.Product == control.Redis {
		c.Regions = r.h.regions
	}
	creds, err := r.h.control.Credentials(r.Context(), r.account.ID, r.resource.ID)
	if err != nil {
		return c, err
	}
	for _, cred := range creds {
		if !cred.Default {
			continue
		}
		t := connectionToken{ID: cred.ID, Label: "Token", Help: "Reads and writes everything. Keep it on servers.", Text: mask}
		switch {
		case r.resource.Product == control.Kafka:
			t.Label, t.Help = "Password", "Produces to and consumes from every topic."
		case cred.Scope == token.ReadOnly:
			t.Label, t.Help = "Read-only token", "Reads keys whose names it is given, and hears no channels; may be used in browsers."
		}
		minted, err := r.h.control.Token(r.Context(), r.account.ID, r.resource.ID, cred.ID)
		if err != nil {
			return c, err
		}
		t.Username = minted.Username
		if reveal {
			t.Text = minted.Text
		}
		c.Tokens = append(c.Tokens, t)
	}
	keys := signingKeys{mask, mask}
	if r.resource.Product == control.QStash {
		acct, err := r.h.qstash.Account(r.Context(), r.resource.ID)
		if err != nil {
			return c, err
		}
		if reveal {
			keys = signingKeys{acct.Keys.Current, acct.Keys.Next}
		}
		c.Keys = []connectionToken{
			{ID: "current", Label: "Current signing key", Help: "Deliveries are signed with it.", Text: keys.current},
			{ID: "next", Label: "Next signing key", Help: "Receivers accept both, so that keys can be rotated while they run.", Text: keys.next},
		}
	}
	c.Snippets = snippets(r.resource.Product, c.URL, nativeServers{r.h.control.RedisServer(), r.h.control.Broker()}, c.Tokens, keys)
	return c, nil
}
