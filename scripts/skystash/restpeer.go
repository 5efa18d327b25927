package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/transfer"
)

// restAtOnce is how many commands with binary arguments are under way at a time: each needs a request of its own.
const restAtOnce = 16

// restPeer is a database that is reached by Upstash's REST API.
type restPeer struct {
	base, token string
	client      *http.Client
}

var _ transfer.Peer = (*restPeer)(nil)

func newRESTPeer(base, token string) *restPeer {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 4 * restAtOnce
	return &restPeer{base: strings.TrimSuffix(base, "/"), token: token, client: newClient(transport)}
}

// Do implements transfer.Peer. JSON has no way to write bytes that are no text, so commands with such arguments go by
// path, with the last argument as the body. Several RESTORE go side by side: they are of different keys.
func (p *restPeer) Do(ctx context.Context, cmds ...[]string) ([]any, error) {
	if len(cmds) > 1 && !slices.ContainsFunc(cmds, func(c []string) bool { return c[0] != "RESTORE" }) {
		return p.sideBySide(ctx, cmds)
	}
	var replies []any
	for len(cmds) > 0 {
		n := slices.IndexFunc(cmds, binary)
		switch n {
		case 0:
			reply, err := p.byPath(ctx, cmds[0])
			if err != nil {
				return nil, err
			}
			replies, cmds = append(replies, reply), cmds[1:]
			continue
		case -1:
			n = len(cmds)
		}
		some, err := p.pipeline(ctx, cmds[:n])
		if err != nil {
			return nil, err
		}
		replies, cmds = append(replies, some...), cmds[n:]
	}
	return replies, nil
}

func binary(cmd []string) bool {
	return slices.ContainsFunc(cmd, func(arg string) bool { return !utf8.ValidString(arg) })
}

func (p *restPeer) sideBySide(ctx context.Context, cmds [][]string) ([]any, error) {
	replies, errs := make([]any, len(cmds)), make([]error, len(cmds))
	slots := make(chan struct{}, restAtOnce)
	var wg sync.WaitGroup
	for i, cmd := range cmds {
		slots <- struct{}{}
		wg.Go(func() {
			replies[i], errs[i] = p.byPath(ctx, cmd)
			<-slots
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return replies, nil
}

// restAnswer is the answer to one command.
type restAnswer struct {
	Result any     `json:"result"`
	Error  *string `json:"error"`
}

func (a restAnswer) reply() any {
	if a.Error != nil {
		return resp.Error(*a.Error)
	}
	if a.Result == "OK" {
		return "OK"
	}
	return plain(a.Result)
}

// plain undoes base64, and makes integers of numbers.
func plain(v any) any {
	switch v := v.(type) {
	case string:
		if b, err := base64.StdEncoding.DecodeString(v); err == nil {
			return string(b)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

func (p *restPeer) pipeline(ctx context.Context, cmds [][]string) ([]any, error) {
	body, err := json.Marshal(cmds)
	if err != nil {
		return nil, err
	}
	var answers []restAnswer
	if _, err := p.post(ctx, "/pipeline", body, &answers); err != nil {
		return nil, err
	}
	if len(answers) != len(cmds) {
		return nil, fmt.Errorf("%d commands have %d answers", len(cmds), len(answers))
	}
	replies := make([]any, len(answers))
	for i, a := range answers {
		replies[i] = a.reply()
	}
	return replies, nil
}

func (p *restPeer) byPath(ctx context.Context, cmd []string) (any, error) {
	path, body, query := cmd[:len(cmd)-1], cmd[len(cmd)-1], []string(nil)
	if cmd[0] == "RESTORE" && len(cmd) > 4 {
		path, body, query = cmd[:3], cmd[3], cmd[4:]
	}
	var u strings.Builder
	for _, arg := range path {
		u.WriteString("/" + strings.ReplaceAll(url.QueryEscape(arg), "+", "%20"))
	}
	if len(query) > 0 {
		u.WriteString("?" + strings.Join(query, "&"))
	}
	var answer restAnswer
	refused, err := p.post(ctx, u.String(), []byte(body), &answer)
	if refused != "" {
		return refused, nil
	}
	return answer.reply(), err
}

// post sends a request. What the server says of it as a whole is an error; of a single command it is refused.
func (p *restPeer) post(ctx context.Context, path string, body []byte, answer any) (refused resp.Error, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+path, bytes.NewReader(body))
	if err != nil {
		return "", resp.Error(err.Error()) // which a repetition does not mend
	}
	req.Header.Set("Authorization", bearer(p.token))
	req.Header.Set("Upstash-Encoding", "base64")
	response, err := p.client.Do(req)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxRESTAnswer+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxRESTAnswer, response.StatusCode == http.StatusRequestEntityTooLarge:
		return "", transfer.ErrTooLarge
	case response.StatusCode == http.StatusOK:
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(answer); err != nil {
			return "", fmt.Errorf("the answer of %s is not JSON: %w", p.base, err)
		}
		return "", nil
	}
	var said restAnswer
	if json.Unmarshal(text, &said) != nil || said.Error == nil {
		shown := fmt.Sprintf("%.200s", text)
		said.Error = &shown
	}
	return whole(response.StatusCode, path, *said.Error)
}

// whole sorts what a server has refused: what a command has done wrong, and what will be refused again or not.
func whole(status int, path, said string) (resp.Error, error) {
	switch {
	case strings.Contains(said, "max request size") && path == "/pipeline":
		return "", transfer.ErrTooLarge
	case status == http.StatusBadRequest && path != "/pipeline":
		return resp.Error(said), nil
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return "", fmt.Errorf("status %d: %s", status, said)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "", resp.Error("the token is refused: " + said)
	}
	return "", resp.Error(fmt.Sprintf("status %d: %s", status, said))
}
