package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/bundle"
)

func main() {
	defer jsii.Close()
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "infra:", err)
		jsii.Close()
		os.Exit(1)
	}
}

// run builds the functions and synthesises the app. The CDK command line
// starts it in the folder of cdk.json, which is the module's.
func run(ctx context.Context) error {
	app := awscdk.NewApp(nil)
	cfg, err := readConfig(func(name string) any { return app.Node().TryGetContext(jsii.String(name)) })
	if err != nil {
		return err
	}
	kafka, err := readKafkaConfig(func(name string) any { return app.Node().TryGetContext(jsii.String(name)) })
	if err != nil {
		return err
	}
	gateway, err := readGatewayConfig(func(name string) any { return app.Node().TryGetContext(jsii.String(name)) })
	if err != nil {
		return err
	}
	control := readControlConfig(func(name string) any { return app.Node().TryGetContext(jsii.String(name)) })
	for name, asset := range map[string]*string{
		"redis": &cfg.RedisAsset, "sweep": &cfg.SweepAsset,
		"kafka": &kafka.Asset, "materialize": &kafka.MaterializeAsset, "kafkasweep": &kafka.SweepAsset,
		"qstash": &cfg.QStashAsset, "deliver": &cfg.DeliverAsset, "meter": &cfg.MeterAsset,
		"console": &control.Asset,
	} {
		*asset = filepath.Join("build", name)
		if _, err := bundle.Build(ctx, ".", "./functions/"+name, "arm64", *asset); err != nil {
			return err
		}
	}
	if cfg.LongCalls {
		cfg.AttemptAsset = filepath.Join("build", "attempt")
		if err := buildTask(ctx, cfg.AttemptAsset); err != nil {
			return err
		}
	}
	redisStack, kafkaStack := NewRedisStack(app, cfg), NewKafkaStack(app, cfg, kafka)
	if gateway.Host != "" {
		gateway.Asset = filepath.Join("build", "gateway")
		if _, err := bundle.Build(ctx, ".", "./functions/gateway", "arm64", gateway.Asset); err != nil {
			return err
		}
		control.GatewayHost = gateway.Host
		control.Gateway = NewGatewayStack(app, cfg, gateway, kafka, redisStack, kafkaStack)
	}
	NewControlStack(app, cfg, control, redisStack, kafkaStack, NewQStashStack(app, cfg))
	app.Synth(nil)
	return nil
}
