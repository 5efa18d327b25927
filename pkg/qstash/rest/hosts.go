package rest

// hosts serves /v2/hosts, which Upstash has not: the destination hosts that attempts are held for.
//
//	GET    /v2/hosts         the hosts in trouble, as qstash.Host
//	DELETE /v2/hosts/{host}  attempts to the host (with its port, if the URL has one) are made again
func (x *exchange) hosts() error {
	switch {
	case x.at(reads, "hosts"):
		list, err := x.h.engine.Hosts(x.r.Context(), x.acct)
		if err != nil {
			return err
		}
		return x.ok(list)
	case x.at(removes, "hosts", "*"):
		return x.done(x.h.engine.ReleaseHost(x.r.Context(), x.acct, x.seg[1]))
	}
	return x.unserved()
}
