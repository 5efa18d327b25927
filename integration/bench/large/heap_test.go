package large

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// watchHeap watches how much memory objects take, from now on until the function that it
// returns is called, which tells by how much that grew at most. Garbage is
// collected often meanwhile, so that it counts little.
func watchHeap() (most func() uint64) {
	percent := debug.SetGCPercent(20)
	runtime.GC()
	before := heapBytes()
	stop, result := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		most := before
		for {
			most = max(most, heapBytes())
			select {
			case <-tick.C:
			case <-stop:
				result <- most - before
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		debug.SetGCPercent(percent)
		return <-result
	}
}

func heapBytes() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
