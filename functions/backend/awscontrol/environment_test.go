package awscontrol_test

import (
	"testing"

	"github.com/skystash/skystash/functions/backend/awscontrol"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/pkg/control"
)

func TestClientsAreToldOfTheGateway(t *testing.T) {
	vars := map[string]string{
		"TABLE_NAME": "control", "KEY_PATH": "/keys", "AWS_REGION": "eu-central-1",
		"REDIS_TABLE": "redis", "KAFKA_TABLE": "kafka", "STREAM_NAME": "stream",
	}
	read := func() control.Endpoints {
		env := &settings.Environment{Getenv: func(name string) string { return vars[name] }}
		cfg := awscontrol.Environment(env)
		if err := env.Err(); err != nil {
			t.Fatal(err)
		}
		return cfg.Endpoints
	}
	if got := read(); got != (control.Endpoints{}) {
		t.Errorf("without one: %+v", got)
	}
	vars["GATEWAY_HOST"] = "gateway.example.com"
	got := read()
	if url := got.RedisTCP.URL("token"); url != "rediss://default:token@gateway.example.com:6379" {
		t.Errorf("Redis is at %s", url)
	}
	if want := (control.Broker{Address: "gateway.example.com:9092", TLS: true}); got.KafkaTCP != want {
		t.Errorf("Kafka is at %+v, want %+v", got.KafkaTCP, want)
	}

	vars["KAFKA_TABLE"] = ""
	if got := read(); got.KafkaTCP != (control.Broker{}) || got.RedisTCP.TLSAddress == "" {
		t.Errorf("without Kafka: %+v", got)
	}
}
