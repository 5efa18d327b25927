package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"sync"

	"github.com/skystash/skystash/pkg/edge"
)

//go:embed assets
var assetFiles embed.FS

// bundles are the files that pages refer to, and what they are made of: files in the order of
// their names.
var bundles = []struct{ name, contentType, pattern string }{
	{"app.css", "text/css; charset=utf-8", "assets/css/*.css"},
	{"app.js", "text/javascript; charset=utf-8", "assets/js/*.js"},
	{"htmx.js", "text/javascript; charset=utf-8", "assets/vendor/htmx.min.js"},
	{"uplot.js", "text/javascript; charset=utf-8", "assets/vendor/uplot.min.js"},
	{"uplot.css", "text/css; charset=utf-8", "assets/vendor/uplot.min.css"},
	{"icons.svg", "image/svg+xml", "assets/icons.svg"},
	{"favicon.svg", "image/svg+xml", "assets/favicon.svg"},
}

// asset is a file as it is served. Its URL contains a hash of its content, so browsers may cache it
// for ever.
type asset struct {
	path        string // below assets/
	contentType string
	body        []byte
	zipped      func() ([]byte, error) // made when it is first asked for
}

type assets struct {
	byName map[string]*asset
	byPath map[string]*asset
}

func loadAssets() (*assets, error) {
	a := &assets{byName: map[string]*asset{}, byPath: map[string]*asset{}}
	for _, b := range bundles {
		files, err := fs.Glob(assetFiles, b.pattern)
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("console: no files %s: %w", b.pattern, err)
		}
		slices.Sort(files)
		var body bytes.Buffer
		for _, name := range files {
			text, err := assetFiles.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("console: %w", err)
			}
			body.Write(text)
		}
		sum := sha256.Sum256(body.Bytes())
		it := &asset{path: hex.EncodeToString(sum[:6]) + "/" + b.name, contentType: b.contentType, body: body.Bytes()}
		it.zipped = sync.OnceValues(func() ([]byte, error) { return zip(it.body) })
		a.byName[b.name], a.byPath[it.path] = it, it
	}
	return a, nil
}

func zip(body []byte) ([]byte, error) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return zipped.Bytes(), nil
}

// url is the address of a file.
func (a *assets) url(name string) (string, error) {
	it := a.byName[name]
	if it == nil {
		return "", fmt.Errorf("no asset %s", name)
	}
	return Base + "/assets/" + it.path, nil
}

// ServeHTTP serves the files below their hashes.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	it := a.byPath[r.URL.Path]
	if it == nil {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", it.contentType)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Vary", "Accept-Encoding")
	body := it.body
	if edge.AcceptsGzip(r.Header.Get("Accept-Encoding")) {
		if zipped, err := it.zipped(); err == nil {
			header.Set("Content-Encoding", "gzip")
			body = zipped
		}
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may have gone
	}
}
