package server

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// Deadlines that are not soon are given to the connection once they have passed, and taken back when there are others.
func TestDeadlinesAreKeptLate(t *testing.T) {
	ours, theirs := connected(t)
	d := newDeadlines()
	c := d.keep(ours)
	now := time.Unix(0, d.clock.Load())
	read := func() error {
		var b [1]byte
		_, err := c.Read(b[:])
		return err
	}
	set := func(at time.Time) {
		t.Helper()
		if err := c.SetDeadline(at); err != nil {
			t.Fatal(err)
		}
	}
	late := func() {
		t.Helper()
		if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the deadline, a read ends with %v", err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the deadline, a write ends with %v", err)
		}
	}
	arrives := func() {
		t.Helper()
		if _, err := theirs.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := read(); err != nil {
			t.Errorf("before the deadline, a read ends with %v", err)
		}
	}

	set(now.Add(time.Minute))
	d.look(now.Add(time.Minute - time.Second))
	arrives()
	d.look(now.Add(time.Minute))
	late()

	now = now.Add(time.Minute)
	set(now.Add(time.Minute)) // another one, in time
	arrives()
	set(time.Time{})
	d.look(now.Add(time.Hour))
	arrives()

	set(time.Now().Add(-time.Second)) // it has passed already: nobody has to look
	late()
	set(time.Time{})
	arrives()

	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if len(d.conns) != 0 {
		t.Errorf("%d connections are kept when they are closed", len(d.conns))
	}
	if err := read(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read of a closed connection ends with %v", err)
	}
}
