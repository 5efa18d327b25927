package server

import (
	"context"
	"errors"
	"net"
	"testing"
)

// connected returns both ends of a connection.
func connected(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if theirs, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	return ours, theirs
}

func TestClientContextEndsWithConnection(t *testing.T) {
	ours, theirs := connected(t)
	ctx := &client{Context: t.Context(), conn: &firstByte{lateConn: newDeadlines().keep(ours)}} // as the server has it
	if err := ctx.Err(); err != nil {
		t.Errorf("while the client waits: %v", err)
	}
	if _, err := theirs.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if err := ctx.Err(); err != nil {
		t.Errorf("while the client sends: %v", err)
	}
	if _, err := ours.Read(b[:]); err != nil || b[0] != 'x' {
		t.Errorf("what it sent: %q, %v", b, err)
	}
	theirs.Close()
	for ctx.Err() == nil {
	}
	if err := ctx.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("after it has gone: %v", err)
	}
}

func TestWatchedContextEndsWithConnection(t *testing.T) {
	ours, theirs := connected(t)
	ctx, stop := watch(nil, &firstByte{lateConn: newDeadlines().keep(ours)})
	defer stop()
	theirs.Close()
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after the client has gone: %v", err)
	}
	quick, stopQuick := watch(nil, &firstByte{lateConn: newDeadlines().keep(ours)})
	stopQuick()
	if err := quick.Err(); err == nil {
		t.Error("the context of a request goes on after its answer")
	}
}

func TestWatchedContextEndsWithTheServer(t *testing.T) {
	ours, _ := connected(t)
	closing := make(chan struct{})
	ctx, stop := watch(closing, &firstByte{lateConn: newDeadlines().keep(ours)})
	defer stop()
	close(closing)
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after the server has closed: %v", err)
	}
}
