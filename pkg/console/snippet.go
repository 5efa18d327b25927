package console

import (
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/control"
)

// snippet is code that connects.
type snippet struct {
	ID, Label, Text string
}

// signingKeys are QStash's, which receivers check deliveries with.
type signingKeys struct{ current, next string }

// snippets are those of a product, for a URL and the default tokens, of which the first reads and writes. native
// is where clients of Redis's and Kafka's own protocols connect to.
func snippets(p control.Product, url string, native nativeServers, tokens []connectionToken, keys signingKeys) []snippet {
	if len(tokens) == 0 {
		return nil
	}
	first := tokens[0]
	switch p {
	case control.Redis:
		readOnly := ""
		if len(tokens) > 1 {
			readOnly = tokens[1].Text
		}
		return append(redisSnippets(url, native.redis, first.Text, readOnly), nativeSnippets(native.redis, first.Text)...)
	case control.Kafka:
		return append(kafkaSnippets(url, native.kafka, first.Username, first.Text), brokerSnippets(native.kafka, first.Username, first.Text)...)
	}
	return qstashSnippets(url, first.Text, keys)
}

// env makes the text of an environment file of pairs.
func env(pairs ...string) string {
	var text strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(&text, "%s=\"%s\"\n", pairs[i], pairs[i+1])
		}
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// nativeServers are the servers of protocols besides HTTP.
type nativeServers struct {
	redis control.RedisServer
	kafka control.Broker
}

// redisEnv are the variables of both ways to connect.
func redisEnv(url string, server control.RedisServer, token, readOnly string) string {
	return env("UPSTASH_REDIS_REST_URL", url, "UPSTASH_REDIS_REST_TOKEN", token, "UPSTASH_REDIS_REST_READONLY_TOKEN", readOnly, "REDIS_URL", server.URL(token))
}

func redisSnippets(url string, server control.RedisServer, token, readOnly string) []snippet {
	return []snippet{
		{"env", ".env", redisEnv(url, server, token, readOnly)},
		{"javascript", "JavaScript", fmt.Sprintf(`// npm install @upstash/redis
import { Redis } from "@upstash/redis";

const redis = new Redis({
  url: "%s",
  token: "%s",
});

await redis.set("greeting", "hello", { ex: 60 });
console.log(await redis.get("greeting"));`, url, token)},
		{"python", "Python", fmt.Sprintf(`# pip install upstash-redis
from upstash_redis import Redis

redis = Redis(
    url="%s",
    token="%s",
)

redis.set("greeting", "hello", ex=60)
print(redis.get("greeting"))`, url, token)},
		{"curl", "curl", fmt.Sprintf(`curl %s/set/greeting/hello \
  -H "Authorization: Bearer %s"

curl %s \
  -H "Authorization: Bearer %s" \
  -d '["GET", "greeting"]'`, url, token, url, token)},
	}
}

// kafkaEnv are the variables of both ways to connect.
func kafkaEnv(url string, broker control.Broker, username, password string) string {
	pairs := []string{"UPSTASH_KAFKA_REST_URL", url, "UPSTASH_KAFKA_REST_USERNAME", username, "UPSTASH_KAFKA_REST_PASSWORD", password}
	if broker.Address != "" {
		pairs = append(pairs, "KAFKA_BROKERS", broker.Address, "KAFKA_USERNAME", username, "KAFKA_PASSWORD", password)
	}
	return env(pairs...)
}

func kafkaSnippets(url string, broker control.Broker, username, password string) []snippet {
	return []snippet{
		{"env", ".env", kafkaEnv(url, broker, username, password)},
		{"javascript", "REST, JavaScript", fmt.Sprintf(`// npm install @upstash/kafka
import { Kafka } from "@upstash/kafka";

const kafka = new Kafka({
  url: "%s",
  username: "%s",
  password: "%s",
});

await kafka.producer().produce("orders", { id: 1 }, { key: "customer-7" });

const messages = await kafka.consumer().consume({
  consumerGroupId: "billing",
  instanceId: "one",
  topics: ["orders"],
  autoOffsetReset: "earliest",
});
console.log(messages);`, url, username, password)},
		{"curl", "curl", fmt.Sprintf(`curl %s/produce/orders -u "%s:%s" \
  -d '{"key": "customer-7", "value": "hello"}'

curl %s/consume/billing/one/orders -u "%s:%s" \
  -H "Kafka-Auto-Offset-Reset: earliest"`, url, username, password, url, username, password)},
	}
}

func qstashSnippets(url, token string, keys signingKeys) []snippet {
	return []snippet{
		{"env", ".env", env("QSTASH_URL", url, "QSTASH_TOKEN", token, "QSTASH_CURRENT_SIGNING_KEY", keys.current, "QSTASH_NEXT_SIGNING_KEY", keys.next)},
		{"javascript", "JavaScript", fmt.Sprintf(`// npm install @upstash/qstash
import { Client } from "@upstash/qstash";

const qstash = new Client({
  baseUrl: "%s",
  token: "%s",
});

await qstash.publishJSON({
  url: "https://example.com/api/hook",
  body: { hello: "world" },
  delay: "10s",
});`, url, token)},
		{"receiver", "Receiver", fmt.Sprintf(`// npm install @upstash/qstash
import { Receiver } from "@upstash/qstash";

const receiver = new Receiver({
  currentSigningKey: "%s",
  nextSigningKey: "%s",
});

export async function POST(request: Request) {
  const body = await request.text();
  const signature = request.headers.get("Upstash-Signature") ?? "";
  await receiver.verify({ signature, body }); // throws if it is not from here
  return new Response("ok");
}`, keys.current, keys.next)},
		{"curl", "curl", fmt.Sprintf(`curl %s/v2/publish/https://example.com/api/hook \
  -H "Authorization: Bearer %s" \
  -H "Upstash-Delay: 10s" \
  -d '{"hello": "world"}'`, url, token)},
	}
}
