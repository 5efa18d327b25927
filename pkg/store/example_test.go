package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// A write whose condition is not met changes nothing.
func ExampleConditionError() {
	ctx := context.Background()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()

	key := store.Key{Partition: "locks", Sort: "door"}
	take := func(owner string) error {
		attrs := store.NewAttrs(store.Attr{Name: "o", Value: store.Bytes(owner)})
		_, err := st.Apply(ctx, store.Put(key, attrs, store.Absent("o")))
		return err
	}
	fmt.Println(take("ann"))

	var unmet *store.ConditionError
	fmt.Println(errors.As(take("bob"), &unmet))

	item, err := st.Get(ctx, key)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(item.Get("o").Str())
	// Output:
	// <nil>
	// true
	// ann
}

// An attempt reads, decides, and writes on the condition that nobody was faster.
func ExampleRetry_Do() {
	ctx := context.Background()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()

	key := store.Key{Partition: "counters", Sort: "visits"}
	write := func(n int64, cond store.Cond) error {
		_, err := st.Apply(ctx, store.Put(key, store.NewAttrs(store.Attr{Name: "n", Value: store.Int(n)}), cond))
		return err
	}
	if err := write(1, store.Absent("n")); err != nil {
		log.Fatal(err)
	}

	attempts := 0
	err = store.Retry{}.Do(ctx, func(ctx context.Context) error {
		attempts++
		item, err := st.Get(ctx, key)
		if err != nil {
			return err
		}
		if attempts == 1 { // somebody else is faster
			if err := write(41, store.Eq("n", store.Int(1))); err != nil {
				return err
			}
		}
		return write(item.Get("n").Num()+1, store.Eq("n", item.Get("n")))
	})
	if err != nil {
		log.Fatal(err)
	}
	item, err := st.Get(ctx, key)
	fmt.Println(item.Get("n").Num(), attempts, err)
	// Output: 42 2 <nil>
}
