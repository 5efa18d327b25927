// Command kafkasweep is the Lambda function that deletes Kafka messages beyond
// their topic's size or time, what deleted topics leave behind and idle groups, and
// compacts topics. A schedule starts it; what its time does not suffice for, the
// next run goes on with.
//
// Environment: as functions/materialize has it, and LAG_METRICS: "on" writes the lag of each group
// before the sweep, as metrics of CloudWatch, each of which has its price.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/skystash/skystash/functions/backend/awskafka"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/functions/backend/sweeper"
	"github.com/skystash/skystash/functions/launch"
)

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	aws, cfg := cloud.Environment(env), awskafka.Environment(env)
	lagMetrics := env.Get("LAG_METRICS") == "on"
	launch.Function("kafkasweep", env, func(_ context.Context, log *slog.Logger) (any, error) {
		cfg.Logger = log
		k, err := awskafka.Open(cloud.New(aws), cfg)
		s := &sweep{Sweeper: &sweeper.Sweeper{Engine: k.Engine, Logger: log}}
		if lagMetrics {
			s.lag = &lagWriter{Engine: k.Engine, To: os.Stdout, Now: time.Now}
		}
		return s.Handle, err
	})
}
