package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// errForbidden is why a connection is not made.
var errForbidden = errors.New("address is not allowed")

// special are the blocks that are not public, beyond what netip knows by name
// (IANA's special-purpose address registries).
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4",
	"64:ff9b:1::/48", // NAT64 of a network's own, in any of its layouts
	"::/96", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
)

// embedding are the blocks whose addresses carry an IPv4 address, and at which byte.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // SIIT
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// public reports whether anybody may be sent to an address.
func public(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() || !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	if b := addr.As16(); addr.Is6() && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe && !public(netip.AddrFrom4([4]byte(b[12:]))) {
		return false // ISATAP, which may be in any prefix
	}
	for _, e := range embedding {
		if e.prefix.Contains(addr) {
			b := addr.As16()
			return public(netip.AddrFrom4([4]byte(b[e.at : e.at+4])))
		}
	}
	return true
}

// guard makes connections to allowed addresses.
type guard struct {
	allow   []netip.Prefix
	resolve map[string]string // lower-case host or host:port: the address to connect to instead
	dialer  net.Dialer        // checks addresses
	direct  net.Dialer        // to the addresses of resolve, which the operator has chosen
}

const dialTimeout = 10 * time.Second

func newGuard(cfg Config) *guard {
	g := &guard{allow: cfg.Allow, resolve: map[string]string{}}
	for host, addr := range cfg.Resolve {
		g.resolve[strings.ToLower(host)] = addr
	}
	g.direct = net.Dialer{Timeout: dialTimeout}
	g.dialer = net.Dialer{Timeout: dialTimeout, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return g.check(address)
	}}
	return g
}

// check judges the address of a connection that is about to be made.
func (g *guard) check(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, errForbidden)
	}
	addr := ap.Addr().Unmap().WithZone("")
	for _, p := range g.allow {
		if p.Contains(addr) {
			return nil
		}
	}
	if !public(ap.Addr()) {
		return fmt.Errorf("%s: %w", ap.Addr(), errForbidden)
	}
	return nil
}

func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(address); err == nil && len(g.resolve) > 0 {
		for _, name := range []string{address, host} {
			if to, ok := g.resolve[strings.ToLower(name)]; ok {
				return g.direct.DialContext(ctx, network, to)
			}
		}
	}
	return g.dialer.DialContext(ctx, network, address)
}
