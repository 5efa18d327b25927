package transfer

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/redis/internal/glob"
)

// Stats counts what has been moved.
type Stats struct {
	Keys    int64 // that the source has given
	Bytes   int64 // of keys and values, as DUMP writes them
	There   int64 // keys that the target had already, with the same values
	Skipped int64 // keys that were not moved
	Partly  int64 // keys of which something was not moved
}

// Options are settings of Copy. The zero value is good.
type Options struct {
	Writers int     // how many batches are written at a time; 0: 1
	Rate    float64 // keys a second at most; 0: no limit
	Now     func() time.Time

	// Placed is told each place that everything before has been written of. It is called by one goroutine at a time.
	// An error of it ends the copy.
	Placed func(place string, s Stats) error
	// Skipped is told what was not moved. It is called by one goroutine at a time.
	Skipped func(Skipped)
	// Match, if not nil, says which keys are wanted.
	Match func(key string) bool
}

// numbered is a batch with its number.
type numbered struct {
	Batch
	n int
}

// copier is a copy that is under way.
type copier struct {
	Options
	target Target

	mu     sync.Mutex
	stats  Stats
	placed int            // batches before it are all written
	done   map[int]string // places of batches that were written, from placed on
	err    error
}

// Copy moves all entries of a source to a target. It returns what it has counted, also with an error.
func Copy(ctx context.Context, from Source, to Target, o Options) (Stats, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &copier{Options: o, target: to, done: map[int]string{}}
	batches := make(chan numbered, 2*max(1, o.Writers))
	var wg sync.WaitGroup
	for range max(1, o.Writers) {
		wg.Go(func() {
			for b := range batches {
				if err := c.write(ctx, b); err != nil {
					c.fail(err)
					cancel()
				}
			}
		})
	}
	if err := c.read(ctx, from, batches); err != nil {
		c.fail(err)
	}
	close(batches)
	wg.Wait()
	return c.stats, c.err
}

// fail keeps the first error: those after it come from the end that it has brought about.
func (c *copier) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

func (c *copier) read(ctx context.Context, from Source, batches chan<- numbered) error {
	var begun time.Time
	if c.Rate > 0 {
		begun = c.Now()
	}
	read := 0
	for n := 0; ; n++ {
		b, err := from.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.Match != nil {
			b.Entries = matching(b.Entries, c.Match)
		}
		select {
		case batches <- numbered{b, n}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if read += len(b.Entries); c.Rate > 0 {
			due := time.Duration(float64(read) / c.Rate * float64(time.Second))
			select {
			case <-time.After(due - c.Now().Sub(begun)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// Matcher matches keys as SCAN does.
func Matcher(pattern string) func(key string) bool {
	return func(key string) bool { return glob.Match(pattern, key) }
}

func matching(entries []Entry, match func(string) bool) []Entry {
	var wanted []Entry
	for _, e := range entries {
		if match(e.Key) {
			wanted = append(wanted, e)
		}
	}
	return wanted
}

func (c *copier) write(ctx context.Context, b numbered) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	res, err := c.target.Write(ctx, b.Entries)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Keys += int64(len(b.Entries))
	for _, e := range b.Entries {
		c.stats.Bytes += int64(e.Size())
	}
	c.stats.There += int64(res.There)
	for _, skipped := range append(b.Skipped, res.Skipped...) {
		if skipped.Partly {
			c.stats.Partly++
		} else {
			c.stats.Skipped++
		}
		if c.Skipped != nil {
			c.Skipped(skipped)
		}
	}
	c.done[b.n] = b.Place
	for place, ok := c.done[c.placed]; ok; place, ok = c.done[c.placed] {
		delete(c.done, c.placed)
		c.placed++
		if _, more := c.done[c.placed]; !more && c.Placed != nil {
			if err := c.Placed(place, c.stats); err != nil {
				return err
			}
		}
	}
	return nil
}

// FileWriter is what writes entries to a file.
type FileWriter interface {
	Write(e Entry) ([]Skipped, error)
	Close() error
}

// File is the [Target] that a file is.
type File struct {
	W  FileWriter
	mu sync.Mutex
}

// Write implements Target.
func (f *File) Write(_ context.Context, entries []Entry) (Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var res Result
	for _, e := range entries {
		skipped, err := f.W.Write(e)
		if err != nil {
			return res, err
		}
		res.Skipped = append(res.Skipped, skipped...)
	}
	return res, nil
}
