//go:build !unix

package conns

import "net"

// Direct returns a connection that does the same with less work, if there is one; here there is none.
func Direct(nc net.Conn) net.Conn { return nc }
