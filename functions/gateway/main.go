// Command gateway serves Redis's and Kafka's own protocols, and Redis over HTTPS. It is no Lambda
// function but stays, in a task of ECS: clients of these protocols keep their connections open, and a subscription
// costs no instance of a function here. Any number of gateways may run over the same tables.
//
// When ECS stops it, with SIGTERM, it leaves the name that clients find it by, finishes what it has read, and
// closes the connections over DRAIN_SECONDS.
//
// With the argument health it asks the gateway of this machine how it is, for ECS's health check, and ends with
// status 0 if it is well.
//
// Environment:
//
//	REDIS_TABLE          DynamoDB table that holds Redis's databases; unset: Redis is not served
//	KAFKA_TABLE          DynamoDB table that holds Kafka's clusters; unset: Kafka is not served
//	STREAM_NAME, BUCKET_NAME, BUCKET_WRITES
//	                     as functions/kafka has them
//	TOKEN_PUBLIC_KEY, TOKEN_AUDIENCE
//	                     as the functions have them
//	HOST                 name that clients reach the gateways by
//	TLS                  acme: certificates of HOST come from Let's Encrypt; pem: TLS_CERTIFICATE and
//	                     TLS_KEY are one; off: a balancer in front of the gateway ends TLS
//	ACME_EMAIL           where Let's Encrypt writes to if there is trouble; may be unset
//	ACME_DIRECTORY       another certificate authority than Let's Encrypt
//	REDIS_ADDR, KAFKA_ADDR, HTTPS_ADDR, HEALTH_ADDR
//	                     where to listen; default :6379, :9092, :443 and :8080. The last
//	                     speaks HTTP, for health checks alone
//	DATABASE_DOMAIN      gives each database a name of its own, <database id>.<domain>; needs
//	                     a certificate for all of them, so not with TLS=acme
//	HOSTED_ZONE          id of the zone of Route 53 in which HOST is kept at the addresses of the
//	                     gateways that run; unset: HOST is somebody else's business
//	PUBLIC_ADDRESS       this gateway's address for that; unset: it asks Amazon
//	ECS_CLUSTER, ECS_SERVICE, IDLE_MINUTES
//	                     after so many minutes without a client the gateway switches its service off;
//	                     0 or unset: it never does
//	MAX_CLIENTS          connections of each protocol; default 10,000
//	DRAIN_SECONDS        default 60
//	METER, LOG_LEVEL     as the functions have them
//	DYNAMODB_ENDPOINT, KINESIS_ENDPOINT, S3_ENDPOINT, ROUTE53_ENDPOINT, ECS_ENDPOINT
//	                     other endpoints than AWS's own
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/skystash/skystash/functions/backend/ecstask"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/functions/launch"
)

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	if len(os.Args) > 1 {
		os.Exit(answer(env, os.Args[1:]))
	}
	cfg := configuration(env)
	aws := ecstask.Cloud(env)
	launch.Task("gateway", env, func(ctx context.Context, log *slog.Logger) error {
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		return run(ctx, aws, cfg, log)
	})
}

// answer carries out the one command there is, and returns the process's status.
func answer(env *settings.Environment, args []string) int {
	if len(args) != 1 || args[0] != "health" {
		fmt.Fprintln(os.Stderr, "skystash gateway: it is started without arguments, or as `gateway health` to be asked how it is")
		return 2
	}
	if err := askHealth(context.Background(), or(env, "HEALTH_ADDR", defaultHealthAddr)); err != nil {
		fmt.Fprintln(os.Stderr, "skystash gateway:", err)
		return 1
	}
	return 0
}
