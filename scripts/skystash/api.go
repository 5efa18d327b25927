package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

const (
	// restPatience bounds a request. Lambda and Upstash end theirs earlier.
	restPatience = 2 * time.Minute

	maxRESTAnswer = 256 << 20
)

// newClient makes a client that follows no redirection: what authorizes requests is for who was named.
func newClient(by http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: by, Timeout: restPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// apiClient sends requests to an API.
type apiClient struct {
	base, auth string
	client     *http.Client
}

func newAPIClient(base, auth string) *apiClient {
	return &apiClient{strings.TrimSuffix(base, "/"), auth, newClient(http.DefaultTransport)}
}

// call sends a request and returns the answer, which must be a success.
func (c *apiClient) call(ctx context.Context, method, path string, header http.Header, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Authorization", c.auth)
	response, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxRESTAnswer))
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: status %d: %.300s", method, path, response.StatusCode, text)
	}
	return text, err
}
