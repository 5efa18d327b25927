package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skystash/skystash/pkg/redis/transfer"
)

// endpointFlags tell how the servers of a transfer are reached.
type endpointFlags struct {
	data     string
	ca       string
	insecure bool
}

func (f *endpointFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.data, "data", ".skystash", "`folder` of the local server")
	cmd.Flags().StringVar(&f.ca, "ca", "", "`file` with the certificates that a rediss:// server's one is signed by; default: the system's")
	cmd.Flags().BoolVar(&f.insecure, "insecure", false, "do not check certificates of rediss:// servers")
}

// isServer tells URLs from names of files.
func isServer(where string) bool {
	scheme, _, ok := strings.Cut(where, "://")
	switch scheme {
	case "http", "https", "redis", "rediss", "unix":
		return ok
	}
	return false
}

// peer makes the server of a URL, which is that of the local server if there is none. variable is the name of the
// environment's variable with the token.
func (f *endpointFlags) peer(where, variable string) (transfer.Peer, error) {
	if where == "" {
		vars, err := readLocalEnv(f.data)
		if err != nil {
			return nil, err
		}
		return newRESTPeer(vars["UPSTASH_REDIS_REST_URL"], vars["UPSTASH_REDIS_REST_TOKEN"]), nil
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, misuse{errors.New("a URL that cannot be read: percent-encode what is special in the password")}
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		token := os.Getenv(variable)
		if password, ok := u.User.Password(); ok {
			token = password
		}
		if token == "" {
			return nil, misuse{fmt.Errorf("no token for %s: set %s, or write https://:TOKEN@host", u.Redacted(), variable)}
		}
		u.User = nil
		return newRESTPeer(u.String(), token), nil
	}
	if _, ok := u.User.Password(); !ok {
		if token := os.Getenv(variable); token != "" {
			u.User = url.UserPassword(u.User.Username(), token)
		}
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.insecure} // #nosec G402 -- only if asked for
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, err
		}
		if config.RootCAs = x509.NewCertPool(); !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", f.ca)
		}
	}
	r, err := transfer.NewRESP(u, config)
	if err != nil {
		return nil, misuse{err}
	}
	return r, nil
}
