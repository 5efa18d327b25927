package edge_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/edge"
)

// Large bodies of an owner wait for each other, and for nobody else's; small ones do not wait.
func TestLargeBodiesOfAnOwnerWaitForEachOther(t *testing.T) {
	const limit = 20 << 20
	synctest.Test(t, func(t *testing.T) {
		var shares edge.Shares
		read := func(ctx context.Context, owner, sent, encoding string) (func(), error) {
			var to bytes.Buffer
			b := edge.Body{Reader: strings.NewReader(sent), Length: int64(len(sent)), Encoding: encoding}
			return shares.ReadTo(ctx, owner, &b, &to, limit, limit)
		}
		bomb := zip(strings.Repeat("x", 1<<20)) // which could be inflated to the limit
		leave, err := read(t.Context(), "a", bomb, "gzip")
		if err != nil {
			t.Fatal(err)
		}
		for name, tc := range map[string]struct {
			owner, sent, encoding string
			waits                 bool
		}{
			"another's":                {"b", bomb, "gzip", false},
			"the same one's":           {"a", bomb, "gzip", true},
			"one that is not deflated": {"a", strings.Repeat("x", limit), "", true},
			"a small one":              {"a", "x", "", false},
			"one that fits":            {"a", strings.Repeat("x", 1<<20), "", false},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			at := time.Now()
			leave, err := read(ctx, tc.owner, tc.sent, tc.encoding)
			if waited := time.Since(at) > 0; waited != tc.waits || waited != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: waited: %v, %v", name, waited, err)
			}
			leave()
			cancel()
		}
		next := make(chan error)
		go func() {
			leave, err := read(t.Context(), "a", bomb, "gzip")
			leave()
			next <- err
		}()
		synctest.Wait()
		leave()
		if err := <-next; err != nil {
			t.Error(err)
		}
		if _, err := read(t.Context(), "a", strings.Repeat("x", limit+1), ""); !errors.As(err, new(*edge.TooLargeError)) {
			t.Errorf("a body over the limit: %v", err)
		}
	})
}
