package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// devToken opens the account of the development credentials, which everybody knows.
const devToken = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="

// perRequest is how many messages one request may make.
const perRequest = 1000

// hang publishes n messages to a destination that takes connections and never answers, and waits until
// as many of them hang as will. Closing the destination ends them.
func hang(ctx context.Context, url string, n int) (io.Closer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	var open atomic.Int64
	go func() {
		var conns []net.Conn // which would be closed if nobody knew them
		defer func() {
			for _, conn := range conns {
				conn.Close()
			}
		}()
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
			open.Add(1)
		}
	}()
	for left := n; left > 0; left -= perRequest {
		batch := make([]map[string]any, min(left, perRequest))
		for i := range batch {
			batch[i] = map[string]any{"destination": "http://" + listener.Addr().String() + "/", "body": "hang"}
		}
		if err := post(ctx, url+"/v2/batch", batch); err != nil {
			return nil, errors.Join(err, listener.Close())
		}
	}
	for before := int64(-1); open.Load() != before; {
		before = open.Load()
		time.Sleep(time.Second)
	}
	fmt.Printf("%d messages of another account hang, %d of them in attempts under way\n", n, open.Load())
	return listener, nil
}

func post(ctx context.Context, url string, v any) error {
	text, pipe := io.Pipe()
	go func() { pipe.CloseWithError(json.NewEncoder(pipe).Encode(v)) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, text)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+devToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("publishing messages that hang: %d %s", resp.StatusCode, answer)
	}
	return nil
}
