package wire

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/access"
	"github.com/skystash/skystash/pkg/kafka/scram"
)

// scramDialogue is SCRAM.
type scramDialogue struct {
	mechanism scram.Mechanism
	keys      func(kafka.Password) scram.Keys
	exchange  *scram.Exchange // nil: it has not begun
	known     kafka.Passwords
}

func scram256() dialogue {
	return &scramDialogue{mechanism: scram.SHA256, keys: func(p kafka.Password) scram.Keys { return p.SHA256 }}
}

func scram512() dialogue {
	return &scramDialogue{mechanism: scram.SHA512, keys: func(p kafka.Password) scram.Keys { return p.SHA512 }}
}

func (d *scramDialogue) step(ctx context.Context, s *Server, message []byte) ([]byte, login, error) {
	if d.exchange == nil {
		answer, err := d.begin(ctx, s, message)
		return answer, nil, err
	}
	which, answer, err := d.exchange.Finish(message)
	if errors.Is(err, scram.ErrRefused) {
		return nil, nil, access.ErrRefused
	}
	claims := d.known.List[which].Claims
	return answer, func(ctx context.Context) (access.Grant, error) { return s.gate.Return(ctx, claims) }, nil
}

// begin answers the first message. A user that is not known gets a salt that looks like any other.
func (d *scramDialogue) begin(ctx context.Context, s *Server, message []byte) ([]byte, error) {
	exchange, name, err := d.mechanism.Begin(message)
	if err != nil {
		return nil, access.ErrRefused
	}
	user := scram.User{Salt: s.saltOf(name), Iterations: scram.Iterations}
	if cluster, credential, ok := splitUser(name); ok {
		if d.known, err = s.engine.Passwords(ctx, cluster, credential); err != nil {
			return nil, err
		}
	}
	if len(d.known.List) > 0 {
		user.Salt, user.Iterations = d.known.Salt, d.known.Iterations
	}
	for _, p := range d.known.List {
		user.Keys = append(user.Keys, d.keys(p))
	}
	d.exchange = exchange
	return exchange.Challenge(user), nil
}

// splitUser finds the cluster and the credential that a user name is of.
func splitUser(name string) (cluster, credential string, ok bool) {
	plain, err := base64.RawURLEncoding.DecodeString(name)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(plain), "$")
}

// saltOf is the salt of a user that there is not: the same each time.
func (s *Server) saltOf(name string) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte(name))
	return h.Sum(nil)[:16]
}
