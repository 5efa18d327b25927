package server

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/scripts/atomicfile"
)

// Names in the data folder; see the package comment.
const (
	keyFile    = "signing.pem"
	apiKeyFile = "api-key"
	envFile    = "local.env"
	storeDir   = "store"
	ignoreRow  = "*\n"
)

// prepareFolder makes the data folder, closed to everybody else, and keeps it
// out of any repository it lies in.
func prepareFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("creating the data folder: %w", err)
	}
	ignore := filepath.Join(dir, ".gitignore")
	if _, err := os.Stat(ignore); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(ignore, []byte(ignoreRow), 0o600); err != nil {
			return fmt.Errorf("preparing the data folder: %w", err)
		}
	}
	return nil
}

// ensureKey makes a signing key at the first start. Of two programs that start at once in a
// new folder, both end up with one key.
func ensureKey(ctx context.Context, dir string) error {
	ids, err := folderKeyring{dir}.IDs(ctx)
	if err != nil || len(ids) > 0 {
		return err
	}
	key, err := token.GenerateKey()
	if err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, keyFile), key)
}

// writeKey writes a key, unless the file is there already.
func writeKey(path string, key ed25519.PrivateKey) error {
	text, err := token.EncodePrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeNew(path, text); err != nil {
		return fmt.Errorf("writing the signing key: %w", err)
	}
	return nil
}

// writeNew writes a file of mode 0600, unless it is there already.
func writeNew(path string, text []byte) error {
	tmp, err := writeTemp(path, text)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	// A link, unlike a rename, fails if somebody else was first.
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// apiKey reads the API key of the control plane, or makes it at the first start.
func apiKey(dir string) (string, error) {
	path := filepath.Join(dir, apiKeyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = writeNew(path, []byte(newAPIKey()+"\n")); err == nil {
			text, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return "", fmt.Errorf("the API key in %s: %w", path, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// newAPIKey makes an API key of more than 256 random bits.
func newAPIKey() string { return rand.Text() + rand.Text() }

// writeEnv writes the environment file that the official client reads.
func writeEnv(dir string, vars [][2]string) error {
	var text strings.Builder
	for _, v := range vars {
		fmt.Fprintf(&text, "%s=%q\n", v[0], v[1])
	}
	err := atomicfile.Write(filepath.Join(dir, envFile), func(w io.Writer) error {
		_, err := io.WriteString(w, text.String())
		return err
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", envFile, err)
	}
	return nil
}

// writeTemp writes a new file of mode 0600 beside path and returns its name.
func writeTemp(path string, text []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}
