package console

import (
	"context"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
)

func overviewPages() []*page {
	return []*page{
		{route: "GET /", title: "Overview", view: "overview", moves: true, nav: nav{groupMain, "Overview", "home"}, serve: showOverview},
	}
}

// overview is what the view "overview" shows.
type overview struct {
	Now       time.Time
	Region    string
	Resources []*summary
	Requests  int64 // of the month, as all that follows
	Errors    int64
	Cost      price.Month // its totals
}

// summary is a resource with what it has used in this month.
type summary struct {
	Resource *control.Resource
	Month    meter.Usage
	Cost     price.Month
	Storage  meter.Storage
	Status   meter.Status
}

func showOverview(r *request) error {
	resources, err := r.h.control.Resources(r.Context(), r.account.ID)
	if err != nil {
		return err
	}
	data := overview{Now: r.h.now().UTC(), Region: r.h.control.Region(), Resources: make([]*summary, len(resources))}
	var all meter.Usage
	err = eachOf(resources, func(i int, res *control.Resource) (err error) {
		data.Resources[i], err = r.h.summarize(r.Context(), res)
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range data.Resources {
		all.Add(s.Month)
		data.Cost.ToDate.Total += s.Cost.ToDate.Total
		data.Cost.Forecast += s.Cost.Forecast
		data.Cost.Upstash.Total += s.Cost.Upstash.Total
		data.Cost.UpstashForecast += s.Cost.UpstashForecast
	}
	data.Requests, data.Errors = all.Counters.Requests, all.Counters.Errors
	return r.render(data)
}

// forecastDays is how many days before today a forecast goes by.
const forecastDays = 7

// usageOf names a resource to package meter.
func usageOf(res *control.Resource) meter.Resource {
	return meter.Resource{Product: string(res.Product), ID: res.ID}
}

func (h *Handler) summarize(ctx context.Context, res *control.Resource) (*summary, error) {
	now := h.now().UTC()
	s := &summary{Resource: res}
	s.Month.Start = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	// Those before the month are for the forecast.
	days, err := h.book.Days(ctx, usageOf(res), s.Month.Start.AddDate(0, 0, -forecastDays), now.AddDate(0, 0, 1))
	if err != nil {
		return nil, err
	}
	for _, d := range days {
		if !d.Start.Before(s.Month.Start) {
			s.Month.Add(d)
		}
	}
	if s.Storage, err = h.book.Storage(ctx, usageOf(res)); err != nil {
		return nil, err
	}
	s.Cost = price.MonthOf(string(res.Product), days, s.Storage, now)
	s.Status, err = h.book.Status(ctx, usageOf(res))
	return s, err
}

// readers is how many resources are read at a time.
const readers = 16

// eachOf calls f for all elements, several at a time, and returns the first error in their order.
func eachOf[T any](list []T, f func(int, T) error) error {
	errs := make([]error, len(list))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(readers, len(list)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = f(i, list[i])
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
