package rest

// metrics serves GET /v2/metrics?fromDate=&toDate= (ms), which Upstash has not: lag, endpoint time and outcomes
// of the account and of each queue, host, flow control key, schedule and workflow, as qstash.Metrics.
func (x *exchange) metrics() error {
	if !x.at(reads, "metrics") {
		return x.unserved()
	}
	s, err := x.selects("fromDate toDate", 1)
	if err != nil {
		return err
	}
	list, err := x.h.engine.Metrics(x.r.Context(), x.acct, s.filter.From, s.filter.To)
	if err != nil {
		return err
	}
	return x.ok(list)
}
