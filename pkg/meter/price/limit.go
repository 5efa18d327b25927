package price

import (
	"time"

	"github.com/skystash/skystash/pkg/meter"
)

// Cost is what a month's usage has cost so far, in dollars: for meter.LimiterConfig.
func Cost(product string, month meter.Usage, s meter.Storage, now time.Time) float64 {
	return MonthOf(product, []meter.Usage{month}, s, now).ToDate.Total
}
