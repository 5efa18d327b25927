// Package s3 keeps objects in a bucket of Amazon S3. It speaks to S3 itself, with the SDK's signer: the
// SDK's client would be most of a function's size, and four requests are all that is needed.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/store"
)

const (
	attempts       = 6
	attemptTimeout = 10 * time.Second // of one request
	firstPause     = 50 * time.Millisecond
	maxAnswer      = 4 << 20 // of a list or an error
)

// Options are settings of a Store; the zero value is good.
type Options struct {
	Endpoint string           // URL instead of S3's own, with the bucket in the path; "": none
	Now      func() time.Time // nil: time.Now
}

// Store is a bucket. It is safe for concurrent use.
type Store struct {
	client interface {
		Do(*http.Request) (*http.Response, error)
	}
	credentials aws.CredentialsProvider
	signer      *v4.Signer
	base        string // URL of the bucket, without a slash at its end
	region      string
	now         func() time.Time
}

var _ objects.Store = (*Store)(nil)

// New makes a Store of a bucket, which must exist.
func New(cfg aws.Config, bucket string, o Options) *Store {
	s := &Store{
		client: cfg.HTTPClient, credentials: cfg.Credentials, region: cfg.Region, now: o.Now,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		base:   "https://" + bucket + ".s3." + cfg.Region + ".amazonaws.com",
	}
	if o.Endpoint != "" {
		s.base = strings.TrimSuffix(o.Endpoint, "/") + "/" + bucket
	}
	if s.client == nil {
		s.client = http.DefaultClient
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Put implements objects.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte) error {
	if !objects.ValidName(name) || len(data) > objects.MaxData {
		return fmt.Errorf("putting object %q of %d bytes: %w", name, len(data), store.ErrTooLarge)
	}
	_, err := s.do(ctx, request{method: http.MethodPut, path: "/" + name, body: data})
	if err != nil {
		return fmt.Errorf("putting object %s: %w", name, err)
	}
	return nil
}

// Get implements objects.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	if length == 0 {
		return nil, nil
	}
	data, err := s.do(ctx, request{
		method: http.MethodGet, path: "/" + name, limit: length, whole: true,
		bytes: "bytes=" + strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+length-1, 10),
	})
	if err != nil {
		return nil, fmt.Errorf("getting object %s: %w", name, err)
	}
	return data, nil
}

// Delete implements objects.Store. S3 takes no money for it.
func (s *Store) Delete(ctx context.Context, names []string) error {
	for _, name := range names {
		if _, err := s.do(ctx, request{method: http.MethodDelete, path: "/" + name}); err != nil && !errors.Is(err, objects.ErrNotFound) {
			return fmt.Errorf("deleting object %s: %w", name, err)
		}
	}
	return nil
}

// List implements objects.Store.
func (s *Store) List(ctx context.Context, prefix, after string) ([]string, error) {
	q := url.Values{"list-type": {"2"}, "prefix": {prefix}, "max-keys": {strconv.Itoa(objects.PageSize)}}
	if after != "" {
		q.Set("start-after", after)
	}
	text, err := s.do(ctx, request{method: http.MethodGet, path: "/", query: q.Encode(), limit: maxAnswer})
	if err != nil {
		return nil, fmt.Errorf("listing objects: %w", err)
	}
	return keysOf(string(text)), nil
}

// keysOf takes the names out of a list. Names need no escapes, so no parser of XML is needed.
func keysOf(text string) (names []string) {
	const open, end = "<Key>", "</Key>"
	for {
		at := strings.Index(text, open)
		if at < 0 {
			return names
		}
		text = text[at+len(open):]
		to := strings.Index(text, end)
		if to < 0 {
			return names
		}
		names, text = append(names, text[:to]), text[to:]
	}
}

// request is a request to S3.
type request struct {
	method, path, query string
	body                []byte
	bytes               string // the header Range
	limit               int64  // bytes of the answer at most
	whole               bool   // the answer has exactly so many
}

// do sends a request, again if that may help. All requests do no harm when they are repeated.
func (s *Store) do(ctx context.Context, r request) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		answer, err, again := s.send(ctx, r)
		if err == nil || !again || attempt == attempts {
			return answer, err
		}
		timer := time.NewTimer(rand.N(firstPause << attempt))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		case <-timer.C:
		}
	}
}

func (s *Store) send(ctx context.Context, r request) (answer []byte, err error, again bool) {
	within, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	target := s.base + r.path
	if r.query != "" {
		target += "?" + r.query
	}
	req, err := http.NewRequestWithContext(within, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err), false
	}
	sum := sha256.Sum256(r.body)
	digest := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", digest)
	if r.bytes != "" {
		req.Header.Set("Range", r.bytes)
	}
	keys, err := s.credentials.Retrieve(within)
	if err == nil {
		err = s.signer.SignHTTP(within, keys, req, digest, "s3", s.region, s.now())
	}
	if err != nil {
		return nil, fmt.Errorf("signing the request: %w", err), false
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err), ctx.Err() == nil
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		err, again := failure(resp.StatusCode, text)
		return nil, err, again
	}
	answer, err = io.ReadAll(io.LimitReader(resp.Body, r.limit+1))
	if err == nil && (int64(len(answer)) > r.limit || r.whole && int64(len(answer)) != r.limit) {
		err = fmt.Errorf("the answer has not %d bytes", r.limit)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err), ctx.Err() == nil
	}
	return answer, nil, false
}

// failure is what a status means.
func failure(status int, text []byte) (err error, again bool) {
	switch {
	case status == http.StatusNotFound:
		return objects.ErrNotFound, false
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests:
		return fmt.Errorf("%w: status %d", store.ErrThrottled, status), true
	case status >= 500:
		return fmt.Errorf("%w: status %d", store.ErrUnavailable, status), true
	}
	return fmt.Errorf("status %d: %.300s", status, text), false
}
