package embedded

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// synced is a file that tells when it is synced.
type synced struct {
	vfs.File
	done chan<- int
	n    int
}

func (f synced) SyncData() error {
	f.done <- f.n
	return nil
}

// TestEveryDirtyFileIsSynced: files that become dirty while others are being synced are not forgotten.
func TestEveryDirtyFileIsSynced(t *testing.T) {
	later := startLaterSyncs(time.Millisecond)
	defer later.close()
	fs := newSafeFS(vfs.NewMem(), &health{log: slog.New(slog.DiscardHandler)}, later)
	const files, times = 8, 200
	done := make(chan int)
	var writers sync.WaitGroup
	acknowledged := make([]chan struct{}, files)
	for i := range files {
		acknowledged[i] = make(chan struct{}, times+1)
		f := &safeFile{File: synced{done: done, n: i}, fs: fs, name: "x.log"}
		writers.Go(func() {
			for range times {
				if err := f.Sync(); err != nil {
					t.Error(err)
				}
				<-acknowledged[i]
			}
		})
	}
	ended := make(chan struct{})
	go func() { writers.Wait(); close(ended) }()
	for {
		select {
		case n := <-done:
			acknowledged[n] <- struct{}{}
		case <-ended:
			return
		}
	}
}
