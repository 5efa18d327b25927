package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

var contextTests = []test{
	{"a canceled context stops every call before it has an effect", func(h *h) {
		h.put("a", attrs("v", 1))
		canceled, cancel := context.WithCancel(h.Context())
		cancel()
		expired, cancel := context.WithDeadline(h.Context(), time.Unix(0, 0))
		defer cancel()
		for _, c := range []struct {
			ctx  context.Context
			want error
		}{{canceled, context.Canceled}, {expired, context.DeadlineExceeded}} {
			for name, call := range calls(h) {
				err := call(c.ctx)
				if !errors.Is(err, c.want) || !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknownOutcome) {
					h.Errorf("%s: error %v, want ErrUnavailable and %v", name, err, c.want)
				}
			}
		}
		h.want("a", attrs("v", 1))
		h.want("b", nil)
	}},
}

// calls are all methods that take a context. The writes would put v=2 into a and b.
func calls(h *h) map[string]func(context.Context) error {
	two := attrs("v", 2)
	return map[string]func(context.Context) error{
		"Get": func(ctx context.Context) error {
			_, err := h.store.Get(ctx, h.key("a"))
			return err
		},
		"GetMany": func(ctx context.Context) error {
			_, err := h.store.GetMany(ctx, []store.Key{h.key("a"), h.key("b")}, false)
			return err
		},
		"GetMany, snapshot": func(ctx context.Context) error {
			_, err := h.store.GetMany(ctx, []store.Key{h.key("a"), h.key("b")}, true)
			return err
		},
		"Query": func(ctx context.Context) error {
			_, err := h.store.Query(ctx, store.Query{Partition: h.partition})
			return err
		},
		"Apply put": func(ctx context.Context) error {
			_, err := h.store.Apply(ctx, store.Put(h.key("a"), two, nil))
			return err
		},
		"Apply update": func(ctx context.Context) error {
			_, err := h.store.Apply(ctx, store.Update(h.key("a"), nil, store.Set("v", store.Int(2))))
			return err
		},
		"Apply delete": func(ctx context.Context) error {
			_, err := h.store.Apply(ctx, store.Delete(h.key("a"), nil))
			return err
		},
		"Apply check": func(ctx context.Context) error {
			_, err := h.store.Apply(ctx, store.Check(h.key("a"), nil))
			return err
		},
		"Commit": func(ctx context.Context) error {
			return h.store.Commit(ctx, []store.Op{store.Put(h.key("a"), two, nil), store.Put(h.key("b"), two, nil)})
		},
		"Load": func(ctx context.Context) error {
			return h.store.Load(ctx, []store.Item{{Key: h.key("b"), Attrs: two}}, []store.Key{h.key("a")})
		},
	}
}
