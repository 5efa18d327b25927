package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/bundle"
	"github.com/skystash/skystash/pkg/token"
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
	control, err := readControlConfig(func(name string) any { return app.Node().TryGetContext(jsii.String(name)) })
	if err != nil {
		return err
	}
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
	if gateway.Host != "" {
		if !cfg.deploys(token.ProductRedis) && !cfg.deploys(token.ProductKafka) {
			return errors.New("context gatewayHost: the gateway serves redis and kafka, and neither is among the products")
		}
		gateway.Asset = filepath.Join("build", "gateway")
		if _, err := bundle.Build(ctx, ".", "./functions/gateway", "arm64", gateway.Asset); err != nil {
			return err
		}
	}
	addStacks(app, cfg, kafka, gateway, control)
	app.Synth(nil)
	return nil
}

// addStacks adds the stacks of the products that are deployed, the gateway's if it has a name, and the control plane's, which
// is returned.
func addStacks(app awscdk.App, cfg Config, kafka KafkaConfig, gateway GatewayConfig, control ControlConfig) awscdk.Stack {
	var r, k, q awscdk.Stack
	if cfg.deploys(token.ProductRedis) {
		r = NewRedisStack(app, cfg)
	}
	if cfg.deploys(token.ProductKafka) {
		k = NewKafkaStack(app, cfg, kafka)
	}
	if cfg.deploys(token.ProductQStash) {
		q = NewQStashStack(app, cfg)
	}
	if gateway.Host != "" {
		control.GatewayHost = gateway.Host
		control.Gateway = NewGatewayStack(app, cfg, gateway, kafka, r, k)
	}
	c := NewControlStack(app, cfg, control, r, k, q)
	operate(app, cfg, r, k, q, c)
	addTags(app, cfg)
	return c
}
