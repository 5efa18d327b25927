package server

import (
	"context"
	"net/url"
	"path/filepath"

	"github.com/valyala/fasthttp"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/backup"
	"github.com/skystash/skystash/pkg/control/rest"
	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/kafka/objects/embedded"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
)

const controlDir = "control"

// localCredentials are the ids of the default credentials that the program's resources have
// always had, so that tokens stay the same.
var localCredentials = []string{"local", "local-read-only"}

// controlServer is the control plane in this program.
type controlServer struct {
	store  store.Store
	engine *control.Engine
	acct   *control.Account
	apiKey string
}

// Email and APIKey open the Developer API.
func (m *Main) Email() string  { return m.control.acct.Email }
func (m *Main) APIKey() string { return m.control.apiKey }

// openControl opens the control plane over the store that usage is counted in. The products must be open.
func (m *Main) openControl(ctx context.Context) (p *product, err error) {
	c := &controlServer{store: m.usage.store}
	keyring, err := m.keyring(ctx)
	if err != nil {
		return nil, err
	}
	backups := backup.New(backup.Config{Redis: m.redis, Objects: m.backupObjects(c.store), Now: m.Now})
	c.engine = control.New(control.Config{
		Store: c.store, Keyring: keyring, Backups: backups, Redis: m.redis, Kafka: m.kafka, QStash: m.qstash.engine, Directories: m.directories,
		Endpoints: control.Endpoints{Redis: m.url, RedisTCP: m.redisWire.endpoint(), Kafka: m.url + "/kafka", KafkaTCP: m.kafkaWire.endpoint(), QStash: m.url},
		Region:    m.flags.region,
		Now:       m.Now,
		Logger:    m.log,
	})
	if err := c.bootstrap(ctx, m.flags); err != nil {
		return nil, err
	}
	m.control = c
	handler := rest.New(rest.Config{
		Engine: c.engine, Book: meter.NewBook(c.store), Kafka: m.kafka, QStash: m.qstash.engine, Backups: backups, Now: m.Now, Logger: m.log,
	})
	return &product{
		name:  "Developer API",
		match: rest.Serves,
		serve: func(ctx *fasthttp.RequestCtx) {
			path, query, _ := target(ctx)
			u, err := url.ParseRequestURI(path)
			if err != nil {
				malformed(ctx, err)
				return
			}
			u.RawQuery = query
			serveHTTP(ctx, handler, httpRequest(ctx, u))
		},
		env: [][2]string{
			{"SKYSTASH_CONSOLE_URL", m.url + "/console/"},
			{"SKYSTASH_API_URL", m.url},
			{"UPSTASH_EMAIL", c.acct.Email},
			{"UPSTASH_API_KEY", c.apiKey},
		},
		close: func() error { return nil }, // the store is closed when the last usage is in it
	}, nil
}

// backupObjects is where backups are kept: files of the data folder, or memory where nothing is kept.
func (m *Main) backupObjects(st store.Store) objects.Store {
	if m.flags.ephemeral {
		return embedded.New(st)
	}
	return backup.NewFolder(filepath.Join(m.flags.data, "backups"))
}

// keyring has the private keys: those in the data folder, or one for memory only.
func (m *Main) keyring(ctx context.Context) (control.Keyring, error) {
	if m.flags.ephemeral {
		return control.NewMemoryKeyring(), nil
	}
	return folderKeyring{m.flags.data}, ensureKey(ctx, m.flags.data)
}

// bootstrap makes the account that owns what the program creates. Its API key is kept in the
// data folder, since it has to be shown at each start.
func (c *controlServer) bootstrap(ctx context.Context, f flags) (err error) {
	if c.acct, err = c.engine.EnsureAccount(ctx, f.email, true); err != nil {
		return err
	}
	c.apiKey = newAPIKey()
	if !f.ephemeral {
		if c.apiKey, err = apiKey(f.data); err != nil {
			return err
		}
	}
	if err := c.engine.EnsureAPIKey(ctx, c.acct.ID, "local", c.apiKey); err != nil {
		return err
	}
	_, _, err = c.engine.Bootstrap(ctx, f.email)
	return err
}

// adopt makes what the program has created resources of its account, and mints their tokens. They
// depend on nothing but the records and the signing key, so that they stay the same.
func (m *Main) adopt(ctx context.Context) error {
	mint := func(o owned) (control.Token, error) {
		acct := m.control.acct.ID
		if _, err := m.control.engine.Adopt(ctx, acct, o.product, o.id, "local", localCredentials...); err != nil {
			return control.Token{}, err
		}
		return m.control.engine.Token(ctx, acct, o.id, o.credential)
	}
	readWrite, err := mint(owned{control.Redis, databaseID, localCredentials[0]})
	if err != nil {
		return err
	}
	readOnly, err := mint(owned{control.Redis, databaseID, localCredentials[1]})
	if err != nil {
		return err
	}
	m.token, m.readOnly = readWrite.Text, readOnly.Text
	for _, p := range m.products {
		if p.vars == nil {
			continue
		}
		t, err := mint(p.owns)
		if err != nil {
			return err
		}
		p.env = p.vars(t)
	}
	return nil
}
