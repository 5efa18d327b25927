package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka/access"
)

// sasl is how far the authentication of a connection has got.
type sasl struct {
	mechanism dialogue // nil: none is chosen
	bare      bool     // tokens come without headers (SaslHandshake version 0)
}

// dialogue is an exchange of one mechanism. step takes a client's message and returns the server's; grant is not
// nil once it has succeeded. The error is access.ErrRefused, or says what could not be read.
type dialogue interface {
	step(ctx context.Context, s *Server, message []byte) (answer []byte, done login, err error)
}

// mechanisms make the dialogues that there are, in the order in which clients are told of them.
var mechanisms = []struct {
	name  string
	begin func() dialogue
}{
	{"PLAIN", func() dialogue { return plain{} }},
	{"OAUTHBEARER", func() dialogue { return &bearer{} }},
	{"SCRAM-SHA-256", scram256},
	{"SCRAM-SHA-512", scram512},
}

func (x *exchange) saslHandshake(_ context.Context, req *kmsg.SASLHandshakeRequest, resp *kmsg.SASLHandshakeResponse) error {
	x.sasl = sasl{}
	for _, m := range mechanisms {
		resp.SupportedMechanisms = append(resp.SupportedMechanisms, m.name)
		if m.name == req.Mechanism {
			x.sasl = sasl{mechanism: m.begin(), bare: req.Version == 0 && x.conn.grant.Load() == nil}
		}
	}
	if x.sasl.mechanism == nil {
		resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
	}
	return nil
}

// authenticationFailed is the text of every refusal: it does not say which half of a credential was wrong.
const authenticationFailed = "Authentication failed: invalid credentials"

func (x *exchange) saslAuthenticate(ctx context.Context, req *kmsg.SASLAuthenticateRequest, resp *kmsg.SASLAuthenticateResponse) error {
	if x.sasl.mechanism == nil {
		resp.ErrorCode, resp.ErrorMessage = kerr.IllegalSaslState.Code, kmsg.StringPtr("SaslHandshake comes first")
		return nil
	}
	answer, done, err := x.authenticate(ctx, req.SASLAuthBytes)
	switch {
	case errors.Is(err, access.ErrRefused):
		resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr(authenticationFailed)
		x.hangUp = true
		return x.pause(ctx)
	case err != nil:
		return err
	}
	resp.SASLAuthBytes = answer
	if resp.SASLAuthBytes == nil {
		resp.SASLAuthBytes = []byte{}
	}
	if done {
		resp.SessionLifetimeMillis = x.conn.grant.Load().Lifetime(x.s.now()).Milliseconds()
	}
	return nil
}

// pause keeps those who try passwords from trying many.
func (c *conn) pause(ctx context.Context) error {
	select {
	case <-time.After(failureTime):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// authenticate takes a step of the dialogue.
func (c *conn) authenticate(ctx context.Context, message []byte) (answer []byte, done bool, err error) {
	answer, enter, err := c.sasl.mechanism.step(ctx, c.s, message)
	if err != nil || enter == nil {
		return answer, false, err
	}
	grant, err := enter(ctx)
	if err != nil {
		return nil, false, err
	}
	// A connection stays with its cluster: what it has told the client is of that one.
	if was := c.grant.Load(); was != nil && was.Claims.Resource != grant.Claims.Resource {
		return nil, false, access.ErrRefused
	}
	if err := c.enter(grant.Claims); err != nil {
		return nil, false, err
	}
	c.sasl = sasl{}
	c.grant.Store(&grant)
	return answer, true, nil
}

// bareToken reads a token without a header, and answers it.
func (c *conn) bareToken() error {
	var length [lengthSize]byte
	if _, err := io.ReadFull(c.r, length[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > unknownFrame {
		return fmt.Errorf("%w: a token of %d bytes", errFrame, size)
	}
	message := make([]byte, size)
	if _, err := io.ReadFull(c.r, message); err != nil {
		return err
	}
	answer, _, err := c.authenticate(c.Life, message)
	if errors.Is(err, access.ErrRefused) {
		if err := c.pause(c.Life); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return c.send(append(binary.BigEndian.AppendUint32(c.out[:0], uint32(len(answer))), answer...))
}

// plain is PLAIN (RFC 4616): the password is the credential.
type plain struct{}

func (plain) step(_ context.Context, s *Server, message []byte) ([]byte, login, error) {
	parts := bytes.Split(message, []byte{0})
	if len(parts) != 3 || len(parts[0]) > 0 && !bytes.Equal(parts[0], parts[1]) {
		return nil, nil, access.ErrRefused
	}
	user, password := string(parts[1]), string(parts[2])
	return nil, func(ctx context.Context) (access.Grant, error) { return s.gate.Open(ctx, user, password) }, nil
}

// bearer is OAUTHBEARER (RFC 7628): the token is the credential.
type bearer struct{ refused bool }

// refusedBearer is what a client is told before the dialogue fails.
const refusedBearer = `{"status":"invalid_token"}` // #nosec G101 -- an answer

func (b *bearer) step(ctx context.Context, s *Server, message []byte) ([]byte, login, error) {
	token, ok := bearerToken(message)
	if b.refused || !ok {
		return nil, nil, access.ErrRefused
	}
	again := func(ctx context.Context) (access.Grant, error) { return s.gate.OpenToken(ctx, token) }
	_, err := again(ctx)
	if errors.Is(err, access.ErrRefused) {
		b.refused = true // the client's next message is empty
		return []byte(refusedBearer), nil, nil
	}
	return nil, again, err
}

// bearerToken reads a client's first message: a header, and pairs of keys and values.
func bearerToken(message []byte) (token string, ok bool) {
	header, pairs, ok := strings.Cut(string(message), "\x01")
	if !ok || !strings.HasPrefix(header, "n,") || !strings.HasSuffix(header, ",") {
		return "", false
	}
	for pair := range strings.SplitSeq(pairs, "\x01") {
		if value, ok := strings.CutPrefix(pair, "auth="); ok {
			scheme, token, _ := strings.Cut(value, " ")
			token = strings.TrimSpace(token)
			return token, strings.EqualFold(scheme, "Bearer") && token != ""
		}
	}
	return "", false
}
