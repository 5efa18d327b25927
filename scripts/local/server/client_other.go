//go:build !unix

package server

import "net"

func closedByPeer(net.Conn) bool { return false }
