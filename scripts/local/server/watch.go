package server

import (
	"context"
	"fmt"
	"net"
	"time"
)

// firstWatch is how long a request may take before its connection is looked at. Most requests are
// answered before. watchEvery is the time between further looks.
const (
	firstWatch = 50 * time.Millisecond
	watchEvery = 250 * time.Millisecond
)

// watch returns a context that is done soon after the client has closed its connection. fasthttp,
// unlike net/http, does not look at the connection of a request that it serves. The caller calls
// stop when the request is answered, and before the connection is used for anything else.
func watch(ctx context.Context, conn net.Conn) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	ended, looked := make(chan struct{}), make(chan struct{})
	timer := time.AfterFunc(firstWatch, func() {
		defer close(looked)
		looks := time.NewTicker(watchEvery)
		defer looks.Stop()
		for {
			if closedByPeer(conn) {
				cancel(fmt.Errorf("the client is gone: %w", context.Canceled))
				return
			}
			select {
			case <-ended:
				return
			case <-ctx.Done():
				return
			case <-looks.C:
			}
		}
	})
	return watched, func() {
		close(ended)
		if !timer.Stop() {
			<-looked
		}
		cancel(nil)
	}
}
