package server

import (
	"context"
	"errors"
	"net"
	"testing"
)

func TestClientContextEndsWithConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	ctx := &client{t.Context(), ours}
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
