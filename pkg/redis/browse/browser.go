package browse

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// Refusals of the browser. Those of the engine are a [redis.Error].
var (
	ErrNoKey   = errors.New("the key does not exist (any more)")
	ErrChanged = errors.New("somebody else has changed it meanwhile")
	ErrExists  = errors.New("it exists already")
)

// Browser looks into one database.
type Browser struct {
	engine *redis.Engine
	db     *redis.Database
}

// New makes a Browser.
func New(e *redis.Engine, db *redis.Database) *Browser { return &Browser{e, db} }

// NoExpiry is the time to live of what does not expire.
const NoExpiry time.Duration = -1

// do runs a command. An error reply becomes a redis.Error.
func (b *Browser) do(ctx context.Context, args ...string) (any, error) {
	var w resp.Writer
	if err := b.engine.Do(ctx, b.db, redis.Access{}, args, &w); err != nil {
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	return decode(w.Buf)
}

func decode(reply []byte) (any, error) {
	v, err := resp.Decode(reply)
	if err != nil {
		return nil, err
	}
	if text, ok := v.(resp.Error); ok {
		return nil, redis.Error(text)
	}
	return v, nil
}

// pipeline runs commands one after the other. Those that fail answer with a resp.Error.
func (b *Browser) pipeline(ctx context.Context, cmds [][]string) ([]any, error) {
	var w resp.Writer
	b.engine.Pipeline(ctx, b.db, redis.Access{}, cmds, &w)
	out := make([]any, len(cmds))
	rest := w.Buf
	for i := range cmds {
		reply, next, err := resp.Cut(rest)
		if err != nil {
			return nil, err
		}
		if out[i], err = resp.Decode(reply); err != nil {
			return nil, err
		}
		rest = next
	}
	return out, ctx.Err()
}

// texts are the members of an aggregate as strings; a null is empty.
func texts(v any) []string {
	var members []any
	switch v := v.(type) {
	case []any:
		members = v
	case resp.Map:
		members = v
	case resp.Set:
		members = v
	case resp.Pairs:
		members = v
	}
	out := make([]string, len(members))
	for i, m := range members {
		out[i] = text(m)
	}
	return out
}

// text is a scalar as RESP2 has it.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case resp.Simple:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return resp.FormatDouble(v)
	}
	return ""
}

func number(v any) int64 {
	n, _ := v.(int64)
	return n
}

// ttl reads the answer of PTTL and HPTTL.
func ttl(v any) time.Duration {
	ms := number(v)
	if ms < 0 {
		return NoExpiry
	}
	return time.Duration(ms) * time.Millisecond
}

// Digest stands for a value that was shown.
type Digest string

// DigestOf is the digest of a value.
func DigestOf(value string) Digest {
	sum := sha1.Sum([]byte(value))
	return Digest(hex.EncodeToString(sum[:]))
}

// guard runs commands if the first of them, which only reads, still answers what a
// digest stands for. ARGV is the digest, then each command behind the number of its
// words. The last one's answer is returned.
const guard = `
local i, first, answer = 2, true
while i <= #ARGV do
  local n = tonumber(ARGV[i])
  answer = redis.call(unpack(ARGV, i + 1, i + n))
  if first then
    local seen = answer
    if type(seen) == 'table' then seen = seen.ok end
    if redis.sha1hex(seen and tostring(seen) or '') ~= ARGV[1] then
      return redis.error_reply('CHANGED the value is not the one that was seen')
    end
    first = false
  end
  i = i + n + 1
end
return answer`

// guarded runs commands on a key if read still answers what was seen.
func (b *Browser) guarded(ctx context.Context, key string, seen Digest, read []string, writes ...[]string) error {
	args := []string{string(seen)}
	for _, cmd := range append([][]string{read}, writes...) {
		args = append(args, strconv.Itoa(len(cmd)))
		args = append(args, cmd...)
	}
	var w resp.Writer
	if err := b.engine.Eval(ctx, b.db, redis.Access{}, guard, []string{key}, args, &w); err != nil {
		return fmt.Errorf("%s: %w", writes[0][0], err)
	}
	_, err := decode(w.Buf)
	var refused redis.Error
	if errors.As(err, &refused) && strings.HasPrefix(string(refused), "CHANGED ") {
		return ErrChanged
	}
	return err
}

// ifType runs a command on a key if it is of a type.
func (b *Browser) ifType(ctx context.Context, key, typ string, write ...string) error {
	err := b.guarded(ctx, key, DigestOf(typ), []string{"TYPE", key}, write)
	if errors.Is(err, ErrChanged) {
		return ErrNoKey
	}
	return err
}
