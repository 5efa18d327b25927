package server

import (
	"bytes"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// gate refuses requests that a web site makes through the browser of the person at this machine.
// The site cannot reach the machine itself, and the browser can.
//
// What another site's page sends passes only with an Authorization header: a browser adds none by itself,
// and asks first whether a page may. Everything else that opens something is refused from there, such as
// a token in the query. Pages of this machine are the developer's own.
type gate struct {
	hosts []string // lower-case names that the server is reached by, besides those of the machine

	// strict refuses other sites' pages whatever they send: the credentials are no secret.
	strict bool
}

// refusal says why a request is refused; "": it is not.
func (g *gate) refusal(r *request, ownChecks bool) string {
	// A name that a site owns may lead here: its pages then are of the same origin as this server.
	if host := r.ctx.Host(); r.conn == nil || r.conn.host != string(host) {
		if loopback(r.ctx.LocalAddr()) && !g.known(string(hostname(host))) {
			return "this server is not reached by this host name: use localhost, or start it with -host and the name"
		}
		if r.conn != nil {
			r.conn.host = string(host)
		}
	}
	if ownChecks || !g.foreign(r) {
		return ""
	}
	if g.strict {
		return "requests from the pages of other web sites are refused here, since the credentials are no secret"
	}
	if r.ctx.IsOptions() || len(r.header.authorization) > 0 {
		return ""
	}
	return "requests from the pages of other web sites need their token in the Authorization header"
}

// foreign reports whether the page of another web site has made a request.
func (g *gate) foreign(r *request) bool {
	origin := r.header.origin
	if len(origin) == 0 {
		return string(r.header.fetchSite) == "cross-site"
	}
	u, err := url.Parse(string(origin))
	if err != nil || u.Host == "" { // such as "null"
		return true
	}
	if strings.EqualFold(u.Host, string(r.ctx.Host())) {
		return false
	}
	name := strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(name); err == nil {
		return !addr.Unmap().IsLoopback()
	}
	return !localName(name)
}

// known reports whether a request's host is one that no web site can own.
func (g *gate) known(host string) bool {
	if host == "" {
		return true // HTTP/1.0; browsers always send one
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if localName(host) || strings.HasSuffix(host, ".internal") { // host.docker.internal; reserved for private use
		return true
	}
	for _, h := range g.hosts {
		if host == h {
			return true
		}
	}
	return false
}

// localName reports whether a name is one of the machine itself (RFC 6761).
func localName(host string) bool { return host == "localhost" || strings.HasSuffix(host, ".localhost") }

// hostname is a host without its port, and without the brackets of an IPv6 address.
func hostname(host []byte) []byte {
	if len(host) > 0 && host[0] == '[' {
		if end := bytes.IndexByte(host, ']'); end > 0 {
			return host[1:end]
		}
		return host
	}
	if colon := bytes.LastIndexByte(host, ':'); colon >= 0 {
		return host[:colon]
	}
	return host
}

func loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// newGate makes the gate of a server that listens on an address of the command line.
func (f *flags) newGate(addr string, strict bool) gate {
	g := gate{strict: strict}
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		g.hosts = append(g.hosts, strings.ToLower(host))
	}
	for host := range strings.SplitSeq(f.hosts, ",") {
		if host = strings.TrimSpace(host); host != "" {
			g.hosts = append(g.hosts, strings.ToLower(host))
		}
	}
	return g
}

// forbid answers a request that the gate refuses.
func forbid(ctx *fasthttp.RequestCtx, why string) {
	ctx.SetStatusCode(fasthttp.StatusForbidden)
	ctx.SetContentType("application/json; charset=utf-8")
	ctx.SetBodyString(`{"error":"` + why + `"}`)
}
