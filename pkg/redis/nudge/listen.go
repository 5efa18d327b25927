package nudge

import (
	"fmt"
	"net"
)

// Listen opens a connection for a Mesh on a host, at any port, and returns the address by which other processes reach
// it. Of a host that is none in particular, such as 0.0.0.0, that is the first address of the machine's networks.
func Listen(host string) (conn net.PacketConn, address string, err error) {
	conn, err = net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, "", fmt.Errorf("listening to other processes that serve Redis: %w", err)
	}
	at := conn.LocalAddr().(*net.UDPAddr)
	if !at.IP.IsUnspecified() {
		return conn, at.String(), nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		conn.Close()
		return nil, "", fmt.Errorf("finding the machine's address: %w", err)
	}
	ip := net.IPv4(127, 0, 0, 1)
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			ip = n.IP
			break
		}
	}
	return conn, (&net.UDPAddr{IP: ip, Port: at.Port}).String(), nil
}
