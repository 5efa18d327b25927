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

// A connection has its time for the first request, for the rest of each, for its answer and until the next one begins.
func TestConnectionsHaveTimeLimits(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(c *lateConn, theirs net.Conn) error
		limit  time.Duration
	}{
		"a connection without a request": {func(*lateConn, net.Conn) error { return nil }, readTimeout},
		"a connection that is idle": {func(c *lateConn, _ net.Conn) error {
			_, err := c.Write([]byte("answer"))
			return err
		}, idleTimeout},
		"a request of which a part has arrived": {func(c *lateConn, theirs net.Conn) error {
			if _, err := c.Write([]byte("answer")); err != nil {
				return err
			}
			if _, err := theirs.Write([]byte("G")); err != nil {
				return err
			}
			_, err := c.Read(make([]byte, 1))
			return err
		}, readTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := connected(t)
			d := newDeadlines()
			begun := time.Unix(0, d.clock.Load())
			c := d.keep(ours)
			if err := tc.before(c, theirs); err != nil {
				t.Fatal(err)
			}
			d.look(begun.Add(tc.limit - time.Second))
			if _, err := theirs.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := ours.Read(make([]byte, 1)); err != nil {
				t.Errorf("a second before the limit: %v", err)
			}
			d.look(begun.Add(tc.limit))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("at the limit: %v", err)
			}
			if _, err := c.Write([]byte("late")); err != nil {
				t.Errorf("an answer after the limit of the request: %v", err)
			}
		})
	}
}

// A client that does not read its answer is given up.
func TestAnswersHaveATimeLimit(t *testing.T) {
	ours, _ := connected(t)
	d := newDeadlines()
	begun := time.Unix(0, d.clock.Load())
	c := d.keep(ours)
	ended := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, 64<<20)) // more than the system's buffers hold
		ended <- err
	}()
	for c.write.at.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	d.look(begun.Add(writeTimeout))
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the write ends with %v", err)
	}
}
