package deliver_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash/deliver"
)

// nameServer answers questions for addresses of names, and makes the process ask it until the test ends.
// Of names that are in no list there are none.
func nameServer(t *testing.T, addresses func(name string) []string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var buf [1500]byte
		for {
			n, from, err := conn.ReadFrom(buf[:])
			if err != nil {
				return // closed
			}
			if reply, ok := answer(buf[:n], addresses); ok {
				conn.WriteTo(reply, from)
			}
		}
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		conn.Close()
		<-done
	})
}

// answer answers one question about the addresses of a name, in the format of RFC 1035.
func answer(query []byte, addresses func(name string) []string) ([]byte, bool) {
	const header, typeA, typeAAAA, noSuchName = 12, 1, 28, 3
	var labels []string
	at := header
	for at < len(query) && query[at] != 0 {
		end := at + 1 + int(query[at])
		if end > len(query) {
			return nil, false
		}
		labels = append(labels, string(query[at+1:end]))
		at = end
	}
	end := at + 5 // a zero, the type, the class
	if end > len(query) {
		return nil, false
	}
	var answers []byte
	n, code := 0, byte(0)
	list := addresses(strings.Join(labels, "."))
	if len(list) == 0 {
		code = noSuchName
	}
	for _, text := range list {
		addr := netip.MustParseAddr(text)
		asked := binary.BigEndian.Uint16(query[at+1:])
		if addr.Is4() && asked != typeA || addr.Is6() && asked != typeAAAA {
			continue
		}
		n++
		answers = append(answers, 0xc0, header) // the question's name
		answers = append(answers, query[at+1:end]...)
		answers = append(answers, 0, 0, 0, 0, 0, byte(len(addr.AsSlice()))) // kept for 0 seconds
		answers = append(answers, addr.AsSlice()...)
	}
	reply := append([]byte{query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, byte(n), 0, 0, 0, 0}, query[header:end]...)
	return append(reply, answers...), true
}

// Anybody can give a name of his own an address inside of a network. It is refused as a name without addresses is,
// also if it had another address when it was asked for before.
func TestNamesOfAddressesThatAreNotPublicAreRefused(t *testing.T) {
	var asked atomic.Int64
	nameServer(t, func(name string) []string {
		switch strings.ToLower(name) {
		case "private.evil.example":
			return []string{"10.0.0.1"}
		case "metadata.evil.example":
			return []string{"169.254.169.254", "fd00:ec2::254"}
		case "embedded.evil.example":
			return []string{"64:ff9b::a00:1", "::ffff:0:a00:1", "2002:a00:1::", "64:ff9b:1:a00:0:100::"}
		case "loopback.evil.example":
			return []string{"127.0.0.1", "::1"}
		case "rebound.evil.example": // each time another one
			return [][]string{{"10.0.0.1"}, {"192.168.0.1"}, {"100.64.0.1"}}[asked.Add(1)%3]
		}
		return nil
	})
	s := deliver.New(deliver.Config{})
	said := func(host string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := s.Send(ctx, delivery("http://"+host+":81/"))
		if err == nil {
			t.Fatalf("%s was reached", host)
		}
		return strings.ReplaceAll(err.Error(), host, "HOST")
	}
	none := said("nothing.evil.example")
	if !strings.Contains(none, "unable to resolve host") {
		t.Fatalf("a name that there is not: %q", none)
	}
	for _, host := range []string{"private.evil.example", "metadata.evil.example", "embedded.evil.example", "loopback.evil.example", "rebound.evil.example", "rebound.evil.example", "PRIVATE.evil.EXAMPLE", "private.evil.example."} {
		if got := said(host); got != none {
			t.Errorf("%s: %q, want %q", host, got, none)
		}
	}
	if asked.Load() == 0 {
		t.Error("no name server was asked")
	}
}
