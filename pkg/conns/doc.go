// Package conns keeps the connections of a server that speaks a protocol of its own over TCP or TLS.
//
// A Set accepts connections up to a limit, counts them by who has logged in, looks at their credentials
// while they are open, and ends them gently. What a connection says is its member's business: a member
// embeds a Conn and has Serve and IsRevoked.
//
//	type conn struct {
//		*conns.Conn
//		...
//	}
//
//	set := conns.New(conns.Config[*conn]{Protocol: "Redis's protocol", Limit: 10_000, Logger: log})
//	go set.Serve(listener, func(nc net.Conn) *conn { return &conn{Conn: conns.NewConn(nc)} })
//	...
//	set.Close(ctx)
//
// # The end
//
// Clients whose connection is closed come back at once. If a server with 10,000 connections closed all of
// them in the same moment, the next server would have 10,000 handshakes to do in that moment. So Drain
// closes at most 500 connections a second, and all of them within Config.DrainTime. A connection is served
// as always until its turn comes. Then it finishes what it has read, and ends.
package conns
