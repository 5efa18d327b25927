package embedded

import (
	"sync"
	"time"
)

// laterSyncs syncs log files at an interval instead of whenever the engine asks for it. What was
// written has then been handed to the operating system, which a crash of this process does
// not undo, but a crash of the machine may.
type laterSyncs struct {
	every time.Duration
	some  chan struct{} // has an element if a file has become dirty
	stop  chan struct{}
	ended chan struct{}

	mu    sync.Mutex
	dirty map[*safeFile]bool
}

func startLaterSyncs(every time.Duration) *laterSyncs {
	l := &laterSyncs{every: every, some: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}), dirty: map[*safeFile]bool{}}
	go l.run()
	return l
}

// close ends the syncing; files that are still dirty are synced when they are closed.
func (l *laterSyncs) close() {
	if l == nil {
		return
	}
	close(l.stop)
	<-l.ended
}

func (l *laterSyncs) add(f *safeFile) {
	l.mu.Lock()
	known := l.dirty[f]
	l.dirty[f] = true
	l.mu.Unlock()
	if known {
		return
	}
	select {
	case l.some <- struct{}{}:
	default:
	}
}

// take reports whether a file is dirty, and leaves it to the caller.
func (l *laterSyncs) take(f *safeFile) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	dirty := l.dirty[f]
	delete(l.dirty, f)
	return dirty
}

// run sleeps while nothing is written.
func (l *laterSyncs) run() {
	defer close(l.ended)
	for {
		select {
		case <-l.stop:
			return
		case <-l.some:
		}
		select {
		case <-l.stop:
			return
		case <-time.After(l.every):
		}
		l.syncAll()
	}
}

// syncAll syncs the dirty files. Adding to them goes on meanwhile: a file is marked clean before it is synced.
func (l *laterSyncs) syncAll() {
	l.mu.Lock()
	files := make([]*safeFile, 0, len(l.dirty))
	for f := range l.dirty {
		files = append(files, f)
	}
	l.mu.Unlock()
	for _, f := range files {
		f.syncing.Lock()
		if l.take(f) {
			// try does not return on errors that matter: it makes the store fail.
			_ = f.fs.try(f.name, false, f.File.SyncData)
		}
		f.syncing.Unlock()
	}
}
