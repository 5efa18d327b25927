// Command console is the Lambda function that serves the Developer API and the web console,
// behind an HTTP API. It is the only one that holds private keys.
//
// Environment:
//
//	TABLE_NAME      DynamoDB table of the control plane
//	KEY_PATH        path in Parameter Store that the signing keys are under; it makes
//	                the first one
//	TOKEN_AUDIENCE  audience of the tokens that it mints; default skystash
//	REDIS_TABLE, REDIS_URL
//	                Redis's table, and the URL that clients use; not set: not deployed
//	READ_REGIONS    regions where Redis is read besides, separated by commas
//	KAFKA_TABLE, KAFKA_URL, STREAM_NAME, BUCKET_NAME
//	                the same of Kafka, and its Kinesis stream
//	QSTASH_TABLE, QSTASH_URL
//	                the same of QStash; beside it what functions/qstash needs:
//	                QUEUE_URL, QUEUE_ARN, SCHEDULER_GROUP, SCHEDULER_ROLE_ARN,
//	                QSTASH_REGION
//	GATEWAY_HOST    where functions/gateway serves the protocols of Redis and Kafka themselves; not
//	                set: nowhere
//	BACKUP_BUCKET   bucket of S3 for backups of databases; not set: there are none
//	LOG_LEVEL       debug, info, warn or error; default info
//	DYNAMODB_ENDPOINT, SSM_ENDPOINT, KINESIS_ENDPOINT, SQS_ENDPOINT, SCHEDULER_ENDPOINT
//	                other endpoints than AWS's own
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"

	"github.com/skystash/skystash/functions/backend/awscontrol"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/functions/launch"
	"github.com/skystash/skystash/pkg/console"
	"github.com/skystash/skystash/pkg/control/rest"
	"github.com/skystash/skystash/pkg/lambdahttp"
	"github.com/skystash/skystash/pkg/meter"
)

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	aws, cfg := cloud.Environment(env), awscontrol.Environment(env)
	launch.Function("console", env, func(ctx context.Context, log *slog.Logger) (any, error) {
		handler, err := newHandler(ctx, cloud.New(aws), cfg, log)
		return lambdahttp.New(handler, log), err
	})
}

func newHandler(ctx context.Context, in *cloud.Cloud, cfg awscontrol.Config, log *slog.Logger) (http.Handler, error) {
	cfg.Logger = log
	c, err := awscontrol.Open(ctx, in, cfg)
	if err != nil {
		return nil, err
	}
	book := meter.NewBook(c.Store)
	pages, err := console.New(console.Config{
		Control: c.Engine, Book: book, Store: c.Store, Redis: c.Redis, Kafka: c.Kafka, QStash: c.QStash,
		ReadRegions:   cfg.ReadRegions,
		SecureCookies: true,
		Logger:        log,
	})
	if err != nil {
		return nil, err
	}
	api := rest.New(rest.Config{
		Engine: c.Engine, Book: book, Kafka: c.Kafka, QStash: c.QStash, Backups: c.Backups, ReadRegions: cfg.ReadRegions,
		Logger: log,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case console.Serves(r.URL.Path):
			pages.ServeHTTP(w, r)
		case r.URL.Path == "/":
			http.Redirect(w, r, "/console/", http.StatusSeeOther)
		default:
			api.ServeHTTP(w, r)
		}
	}), nil
}
