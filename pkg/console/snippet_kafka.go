package console

import (
	"fmt"

	"github.com/skystash/skystash/pkg/control"
)

// brokerSnippets are those for clients of Kafka's own protocol.
func brokerSnippets(b control.Broker, username, password string) []snippet {
	if b.Address == "" {
		return nil
	}
	protocol, ca, goCA, jsSSL, javaCA, kcatCA := "SASL_PLAINTEXT", "", "", "", "", ""
	if b.TLS {
		protocol, jsSSL = "SASL_SSL", "\n  ssl: true,"
	}
	if b.TLS && b.CAFile != "" {
		ca = fmt.Sprintf("\n    ssl_cafile=%q,", b.CAFile)
		goCA = fmt.Sprintf("\n\t\t\"ssl.ca.location\":   %q,", b.CAFile)
		jsSSL = fmt.Sprintf("\n  ssl: { ca: [require(\"fs\").readFileSync(%q)] },", b.CAFile)
		javaCA = fmt.Sprintf("\nssl.truststore.type=PEM\nssl.truststore.location=%s", b.CAFile)
		kcatCA = fmt.Sprintf(" \\\n  -X ssl.ca.location=%s", b.CAFile)
	}
	return []snippet{
		{"kafka-python", "kafka-python", fmt.Sprintf(`# pip install kafka-python
from kafka import KafkaConsumer, KafkaProducer

connection = dict(
    bootstrap_servers="%s",
    security_protocol="%s",%s
    sasl_mechanism="PLAIN",
    sasl_plain_username="%s",
    sasl_plain_password="%s",
)

producer = KafkaProducer(**connection)
producer.send("orders", key=b"customer-7", value=b"hello").get(timeout=10)

for message in KafkaConsumer("orders", group_id="billing", auto_offset_reset="earliest", **connection):
    print(message.key, message.value)`, b.Address, protocol, ca, username, password)},
		{"confluent-go", "Go", fmt.Sprintf(`// go get github.com/confluentinc/confluent-kafka-go/v2
package main

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func main() {
	c, err := kafka.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": "%s",
		"security.protocol": "%s",%s
		"sasl.mechanism":    "PLAIN",
		"sasl.username":     "%s",
		"sasl.password":     "%s",
		"group.id":          "billing",
		"auto.offset.reset": "earliest",
	})
	if err != nil {
		panic(err)
	}
	if err := c.Subscribe("orders", nil); err != nil {
		panic(err)
	}
	for {
		m, err := c.ReadMessage(-1)
		fmt.Println(m, err)
	}
}`, b.Address, protocol, goCA, username, password)},
		{"kafkajs", "kafkajs", fmt.Sprintf(`// npm install kafkajs
const { Kafka } = require("kafkajs");

const kafka = new Kafka({
  brokers: ["%s"],%s
  sasl: {
    mechanism: "plain",
    username: "%s",
    password: "%s",
  },
});

const producer = kafka.producer();
await producer.connect();
await producer.send({ topic: "orders", messages: [{ key: "customer-7", value: "hello" }] });

const consumer = kafka.consumer({ groupId: "billing" });
await consumer.connect();
await consumer.subscribe({ topics: ["orders"], fromBeginning: true });
await consumer.run({ eachMessage: async ({ message }) => console.log(message.value.toString()) });`, b.Address, jsSSL, username, password)},
		{"java", "Java", fmt.Sprintf(`# client.properties, for org.apache.kafka:kafka-clients and Kafka's command line tools
bootstrap.servers=%s
security.protocol=%s%s
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  username="%s" \
  password="%s";`, b.Address, protocol, javaCA, username, password)},
		{"kcat", "kcat", fmt.Sprintf(`kcat -b %s -X security.protocol=%s%s \
  -X sasl.mechanism=PLAIN -X sasl.username=%s \
  -X sasl.password=%s \
  -C -t orders -o beginning`, b.Address, protocol, kcatCA, username, password)},
	}
}
