package server

import (
	"context"
	"time"

	"github.com/skystash/skystash/pkg/console"
	"github.com/skystash/skystash/pkg/meter"
)

// signInTime is how long the link of the banner is good, once.
const signInTime = 24 * time.Hour

// SignInURL opens the console for the account that owns what the program creates. It is good once.
func (m *Main) SignInURL() string { return m.signIn }

// openConsole opens the console. The control plane must be open.
func (m *Main) openConsole(ctx context.Context) (*product, error) {
	h, err := console.New(console.Config{
		Now:     m.Now,
		Control: m.control.engine, Book: meter.NewBook(m.control.store), Store: m.control.store, Live: m.usage.live,
		Redis: m.redis, Kafka: m.kafka, QStash: m.qstash.engine, Logger: m.log,
	})
	if err != nil {
		return nil, err
	}
	link, err := h.SignInLink(ctx, m.control.acct.ID, signInTime)
	if err != nil {
		return nil, err
	}
	m.signIn = m.url + link
	p := &product{name: "Console", match: console.Serves, ownChecks: true, close: func() error { return nil }}
	p.mount(h)
	return p, nil
}
