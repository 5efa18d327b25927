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

// watch returns a context that is done soon after the client has closed its connection, or closing is
// closed. fasthttp, unlike net/http, does not look at the connection of a request that it serves. The caller calls
// stop when the request is answered, and before the connection is used for anything else.
//
// The context is none of fasthttp's. That uses its contexts again for the next request, while what was derived from
// them may still ask them for their values.
func watch(closing <-chan struct{}, conn net.Conn) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(context.Background())
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
			case <-closing:
				cancel(fmt.Errorf("the server is closing: %w", context.Canceled))
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
