package rest

import (
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
)

// qstashStats are a QStash account's statistics.
type qstashStats struct {
	Days            []string `json:"days"`
	DailyRequests   []point  `json:"daily_requests"`   // messages
	DailyBillings   []point  `json:"daily_billings"`   // dollars, as in databaseStats
	DailyBandwidths []point  `json:"daily_bandwidths"` // bytes
	DailyUsed       []point  `json:"daily_used"`       // messages, in the period
	BandwidthUsed   []point  `json:"daily_bandwidth_used"`
	MonthlyRequests int64    `json:"total_monthly_requests"`
	MonthlyBilling  float64  `json:"total_monthly_billing"`
	CurrentStorage  int64    `json:"current_storage"` // bytes
}

// periods are those that can be asked for. Usage is counted by the hour, so that shorter ones have few
// points.
var periods = map[string]time.Duration{
	"1h": time.Hour, "3h": 3 * time.Hour, "12h": 12 * time.Hour, "1d": 24 * time.Hour,
	"3d": 3 * 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour,
}

func (x *exchange) qstashStats() (any, error) {
	r, err := x.resource(x.ids[0], control.QStash)
	if err != nil {
		return nil, err
	}
	text := x.r.URL.Query().Get("period")
	if text == "" {
		text = "1h"
	}
	period, ok := periods[text]
	if !ok {
		return nil, badRequest("period must be one of 1h, 3h, 12h, 1d, 3d, 7d and 30d")
	}
	h, err := x.history(r)
	if err != nil {
		return nil, err
	}
	now := x.cfg.Now().UTC()
	used, err := x.cfg.Book.Hours(x.ctx, meterOf(r), now.Add(-period), now)
	if err != nil {
		return nil, err
	}
	messages := commands(meter.ClassPublish, meter.ClassDeliver)
	return &qstashStats{
		Days: h.weekdays(), DailyRequests: series(h.days, messages), DailyBandwidths: series(h.days, bandwidth),
		DailyUsed: series(used, messages), BandwidthUsed: series(used, bandwidth),
		DailyBillings: x.billing(r, h), MonthlyBilling: x.monthlyBilling(r, h),
		MonthlyRequests: int64(messages(h.month)), CurrentStorage: h.storage.Bytes,
	}, nil
}
