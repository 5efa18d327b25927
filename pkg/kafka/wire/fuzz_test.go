package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"

	"github.com/skystash/skystash/pkg/kafka/access"
)

// reader is a server that only reads frames.
func reader() *Server {
	s := &Server{memory: semaphore.NewWeighted(requestMemory), decoding: semaphore.NewWeighted(decodeMemory), shares: map[string]*share{}, apis: apis()}
	for i := range s.apis {
		s.table[s.apis[i].key] = &s.apis[i]
	}
	return s
}

// bytesOf is a client that has sent what it sends.
func bytesOf(b []byte) source {
	return source{r: strings.NewReader(string(b)), bound: largeFrame, own: reader().shareOf("a", "c"), begun: func(int) error { return nil }}
}

// FuzzRequest reads whatever bytes as a request. What is decoded is what is decoded of its own encoding.
func FuzzRequest(f *testing.F) {
	s := reader()
	for _, a := range s.apis {
		for version := a.min; version <= a.max; version++ {
			req := kmsg.RequestForKey(a.key)
			req.SetVersion(version)
			f.Add(kmsg.NewRequestFormatter(kmsg.FormatterClientID("c")).AppendRequest(nil, req, 1))
		}
	}
	f.Add([]byte{0, 0, 0, 9, 0, 18, 0, 9, 0, 0, 0, 7, 99})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := s.readFrame(context.Background(), bytesOf(b))
		if err != nil {
			return
		}
		defer s.release(frame)
		req, err := s.decode(context.Background(), frame)
		if err != nil {
			if !errors.Is(err, errFrame) {
				t.Errorf("%v", err)
			}
			return
		}
		if !frame.isServed() {
			return
		}
		again := kmsg.RequestForKey(frame.key)
		again.SetVersion(frame.version)
		if err := again.ReadFrom(req.AppendTo(nil)); err != nil {
			t.Errorf("%s version %d: %v", kmsg.NameForKey(frame.key), frame.version, err)
		}
	})
}

func FuzzTokens(f *testing.F) {
	f.Add([]byte("\x00user\x00password"))
	f.Add([]byte("n,,\x01auth=Bearer x\x01\x01"))
	f.Add([]byte("n,a=x,\x01host=h\x01port=1\x01auth=Bearer x\x01\x01"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if token, ok := bearerToken(message); ok && (token == "" || strings.Contains(token, "\x01")) {
			t.Errorf("token %q of %q", token, message)
		}
		_, done, err := plain{}.step(context.Background(), nil, message)
		if (done == nil) != errors.Is(err, access.ErrRefused) {
			t.Errorf("%v", err)
		}
	})
}

// What a hostile request makes kmsg allocate is charged before it is read.
func TestHostileRequestsTakeNoMoreThanTheyAreChargedFor(t *testing.T) {
	s := reader()
	for _, a := range s.apis {
		for version := a.min; version <= a.max; version++ {
			for name, filling := range map[string]byte{"zeros": 0, "ones": 1, "twos": 2} {
				body := make([]byte, 96<<10)
				for i := range body {
					body[i] = filling
				}
				// A count of elements that is as large as it may be, at each place that the array may be at.
				for at := 0; at < 20; at += 2 {
					b := append([]byte(nil), body...)
					binary.BigEndian.PutUint32(b[at:], uint32(len(body)/4))
					checkCharge(t, s, &a, version, name, b)
				}
			}
		}
	}
}

func checkCharge(t *testing.T, s *Server, a *api, version int16, name string, body []byte) {
	t.Helper()
	frame := binary.BigEndian.AppendUint32(nil, uint32(headerSize+len(body)))
	frame = binary.BigEndian.AppendUint16(frame, uint16(a.key))
	frame = binary.BigEndian.AppendUint16(frame, uint16(version))
	frame = append(append(frame, 0, 0, 0, 1), body...)
	from := bytesOf(frame)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := s.readFrame(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.decode(t.Context(), f)
	runtime.ReadMemStats(&after)
	charged := uint64(f.arrived + f.decoded)
	if took := after.TotalAlloc - before.TotalAlloc; took > charged+1<<20 {
		t.Errorf("%s version %d, %s: %d bytes were charged, %d taken", kmsg.NameForKey(a.key), version, name, charged, took)
	}
	s.release(f)
}
