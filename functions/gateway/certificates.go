package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/skystash/skystash/pkg/store"
)

// certificates are what the listeners of TLS show; nil: there is no TLS. acmeALPN is for the listener
// at port 443: the certificate authority asks there.
func certificates(cfg config, table store.Store) (clients, acmeALPN *tls.Config, err error) {
	switch cfg.tls.mode {
	case tlsPEM:
		pair, err := tls.X509KeyPair([]byte(cfg.tls.certificate), []byte(cfg.tls.key))
		if err != nil {
			return nil, nil, fmt.Errorf("environment variables TLS_CERTIFICATE and TLS_KEY: %w", err)
		}
		c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
		return c, c, nil
	case tlsACME:
		manager := &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			HostPolicy: autocert.HostWhitelist(cfg.host),
			Cache:      certificateCache{table},
			Email:      cfg.tls.email,
		}
		if cfg.tls.directory != "" {
			manager.Client = &acme.Client{DirectoryURL: cfg.tls.directory}
		}
		get := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName == "" { // old clients do not say whom they want; there is one name only
				hello.ServerName = cfg.host
			}
			return manager.GetCertificate(hello)
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: get},
			&tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: get, NextProtos: []string{"http/1.1", acme.ALPNProto}},
			nil
	}
	return nil, nil, nil
}

// certificateCache keeps what autocert remembers in a table, so that all gateways have the same certificate: who asks one
// authority for the same certificate six times in a week is refused.
//
//	'gwc'   name   v
//
// Private keys are among it, as they are in any such cache: whoever can read the table can read all databases, too.
type certificateCache struct{ table store.Store }

const (
	certificatePartition = "gwc"
	certificateValue     = "v"
)

func certificateKey(name string) store.Key {
	return store.Key{Partition: certificatePartition, Sort: name}
}

// Get implements autocert.Cache.
func (c certificateCache) Get(ctx context.Context, name string) ([]byte, error) {
	item, err := c.table.Get(ctx, certificateKey(name))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading a certificate: %w", err)
	case item == nil:
		return nil, autocert.ErrCacheMiss
	}
	return []byte(item.Get(certificateValue).Str()), nil
}

// Put implements autocert.Cache.
func (c certificateCache) Put(ctx context.Context, name string, data []byte) error {
	attrs := store.NewAttrs(store.Attr{Name: certificateValue, Value: store.Bytes(string(data))})
	if _, err := c.table.Apply(ctx, store.Put(certificateKey(name), attrs, nil)); err != nil {
		return fmt.Errorf("keeping a certificate: %w", err)
	}
	return nil
}

// Delete implements autocert.Cache.
func (c certificateCache) Delete(ctx context.Context, name string) error {
	if _, err := c.table.Apply(ctx, store.Delete(certificateKey(name), nil)); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("deleting a certificate: %w", err)
	}
	return nil
}
