// Command attempt makes one attempt to deliver a message of QStash, and ends. It is no Lambda function but
// runs in a task of ECS, which is started for a message whose timeout is longer than functions/deliver may run.
// When ECS stops the task, with SIGTERM and half a minute before it is killed, the attempt is given back.
//
// Environment: as functions/deliver, without what is there for starting tasks, and
//
//	ATTEMPT_KEY         what the message is known by to whoever has started the task
//	ATTEMPT_OWNER       what its claim is known by
//	AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI
//	                    where there are credentials: ECS sets the first. Without one, AWS_ACCESS_KEY_ID,
//	                    AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/skystash/skystash/functions/backend/awsqstash"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/ecstask"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/functions/launch"
	wakeaws "github.com/skystash/skystash/pkg/qstash/wake/aws"
)

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	in := ecstask.Cloud(env)
	cfg := awsqstash.Environment(env)
	cfg.Meter = env.Meter()
	key := env.Require(wakeaws.TaskKey, "the message, which whoever starts the task names")
	cfg.Owner = env.Require(wakeaws.TaskOwner, "the claim of the message, which whoever starts the task names")
	launch.Task("attempt", env, func(ctx context.Context, log *slog.Logger) error {
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		cfg.Logger = log
		q, err := awsqstash.Open(cloud.New(in), cfg)
		if err != nil {
			return err
		}
		return q.Engine.Attempt(ctx, key)
	})
}
