package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"

	"github.com/spf13/cobra"
)

const (
	// kafkaBatch and kafkaBatchBytes are how many messages, and about how many bytes, are produced by a request.
	kafkaBatch      = 500
	kafkaBatchBytes = 1 << 20

	// kafkaEnd is how long, in milliseconds, a partition may give nothing until its end is reached.
	kafkaEnd = 300
)

// anyBytes lets keys and values be any bytes, or none.
var anyBytes = http.Header{"Kafka-Encoding": {"base64"}, "Kafka-Nulls": {"true"}, "Content-Type": {"application/json"}}

// kafkaAPI is a cluster that is reached by the REST API.
type kafkaAPI struct {
	*apiClient
	create func(ctx context.Context, t kafkaTopic) error // makes a topic; nil: it cannot
}

// kafkaTopic is a topic, as a line of an export has it.
type kafkaTopic struct {
	Name       string `json:"name"`
	Partitions int    `json:"partitions"`
}

func (k *kafkaAPI) topics(ctx context.Context) (map[string]int, error) {
	text, err := k.call(ctx, http.MethodGet, "/topics", nil, nil)
	if err != nil {
		return nil, err
	}
	var topics map[string]int
	return topics, json.Unmarshal(text, &topics)
}

// read calls each for all topics and then for all messages of each.
func (k *kafkaAPI) read(ctx context.Context, wanted []string, each func(exportLine) error) error {
	topics, err := k.topics(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		if len(wanted) > 0 && !slices.Contains(wanted, name) {
			continue
		}
		t := kafkaTopic{name, topics[name]}
		text, err := json.Marshal(t)
		if err != nil {
			return err
		}
		if err := each(exportLine{"topic", text}); err != nil {
			return err
		}
		for partition := range t.Partitions {
			if err := k.readPartition(ctx, name, partition, each); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *kafkaAPI) readPartition(ctx context.Context, topic string, partition int, each func(exportLine) error) error {
	for offset := int64(0); ; {
		body, err := json.Marshal(map[string]any{"topic": topic, "partition": partition, "offset": offset, "timeout": kafkaEnd})
		if err != nil {
			return err
		}
		text, err := k.call(ctx, http.MethodPost, "/fetch", anyBytes, body)
		if err != nil {
			return err
		}
		var messages []json.RawMessage
		if err := json.Unmarshal(text, &messages); err != nil || len(messages) == 0 {
			return err
		}
		for _, m := range messages {
			var at struct {
				Offset int64 `json:"offset"`
			}
			if err := json.Unmarshal(m, &at); err != nil {
				return err
			}
			offset = at.Offset + 1
			if err := each(exportLine{"message", m}); err != nil {
				return err
			}
		}
	}
}

// kafkaWriter produces what was read.
type kafkaWriter struct {
	to       *kafkaAPI
	there    map[string]int
	batch    []map[string]json.RawMessage
	size     int
	topics   int
	messages int
}

func (w *kafkaWriter) write(ctx context.Context, line exportLine) error {
	switch line.Kind {
	case "topic":
		return w.topic(ctx, line)
	case "message":
		var m map[string]json.RawMessage
		if err := json.Unmarshal(line.Value, &m); err != nil {
			return err
		}
		delete(m, "offset") // the target counts its own
		if string(m["key"]) == "null" {
			delete(m, "key")
		}
		w.batch = append(w.batch, m)
		if w.size += len(line.Value); len(w.batch) < kafkaBatch && w.size < kafkaBatchBytes {
			return nil
		}
		return w.flush(ctx)
	}
	return fmt.Errorf("kind %q: want topic or message", line.Kind)
}

// topic sees to it that there is a topic with as many partitions.
func (w *kafkaWriter) topic(ctx context.Context, line exportLine) error {
	var t kafkaTopic
	if err := json.Unmarshal(line.Value, &t); err != nil {
		return err
	}
	w.topics++
	n, ok := w.there[t.Name]
	switch {
	case ok && n < t.Partitions:
		return fmt.Errorf("topic %q has %d partitions in the target and %d in the source", t.Name, n, t.Partitions)
	case ok:
		return nil
	case w.to.create == nil:
		return fmt.Errorf("topic %q is not in the target: make it first, with %d partitions, in the console or by admin create-kafka-topic", t.Name, t.Partitions)
	}
	w.there[t.Name] = t.Partitions
	return w.to.create(ctx, t)
}

func (w *kafkaWriter) flush(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	body, err := json.Marshal(w.batch)
	if err != nil {
		return err
	}
	if _, err := w.to.call(ctx, http.MethodPost, "/produce", anyBytes, body); err != nil {
		return err
	}
	w.messages += len(w.batch)
	w.batch, w.size = w.batch[:0], 0
	return nil
}

// kafka makes the cluster of a URL, which is the local server's if there is none.
func (f *endpointFlags) kafka(where, prefix string) (*kafkaAPI, error) {
	if where != "" {
		user, password := os.Getenv(prefix+"_USERNAME"), os.Getenv(prefix+"_TOKEN")
		if user == "" || password == "" {
			return nil, misuse{fmt.Errorf("no credential for %s: set %s_USERNAME and %s_TOKEN", where, prefix, prefix)}
		}
		return &kafkaAPI{apiClient: newAPIClient(where, basic(user, password))}, nil
	}
	vars, err := readLocalEnv(f.data)
	if err != nil {
		return nil, err
	}
	api := newAPIClient(vars["SKYSTASH_API_URL"], basic(vars["UPSTASH_EMAIL"], vars["UPSTASH_API_KEY"]))
	cluster := newAPIClient(vars["UPSTASH_KAFKA_REST_URL"], basic(vars["UPSTASH_KAFKA_REST_USERNAME"], vars["UPSTASH_KAFKA_REST_PASSWORD"]))
	return &kafkaAPI{cluster, func(ctx context.Context, t kafkaTopic) error { return createLocalTopic(ctx, api, t) }}, nil
}

// createLocalTopic makes a topic in the local server's first cluster.
func createLocalTopic(ctx context.Context, api *apiClient, t kafkaTopic) error {
	text, err := api.call(ctx, http.MethodGet, "/v2/kafka/clusters", nil, nil)
	if err != nil {
		return err
	}
	var clusters []struct {
		ID string `json:"cluster_id"`
	}
	if err := json.Unmarshal(text, &clusters); err != nil || len(clusters) == 0 {
		return errors.Join(errors.New("the local server has no cluster"), err)
	}
	body, err := json.Marshal(map[string]any{"name": t.Name, "cluster_id": clusters[0].ID, "partitions": t.Partitions})
	if err == nil {
		_, err = api.call(ctx, http.MethodPost, "/v2/kafka/topic", nil, body)
	}
	return err
}

func newExportKafka() *cobra.Command {
	var f endpointFlags
	var from, out string
	var topics []string
	cmd := &cobra.Command{
		Use:   "kafka",
		Short: "Write the topics of a Kafka cluster with their messages as lines of JSON",
		Long: `Write the topics of a Kafka cluster with their messages as lines of JSON, over REST: {"kind":"topic","value":{"name":
"t","partitions":3}} and {"kind":"message","value":...}, with partition, offset, timestamp and headers. Keys, values and
the values of headers are base64, so that any bytes survive, or null. Settings of topics and committed offsets are not in it.
The credential is read from SKYSTASH_FROM_USERNAME and SKYSTASH_FROM_TOKEN.`,
		Example: `  skystash export kafka --out kafka.jsonl --topic orders`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return errNoOut
			}
			k, err := f.kafka(from, "SKYSTASH_FROM")
			if err != nil {
				return err
			}
			count, err := exportLines(cmd, out, func(each func(exportLine) error) error { return k.read(cmd.Context(), topics, each) })
			if err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "exported %d topics, %d messages\n", count["topic"], count["message"])
			}
			return err
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`URL` of the cluster's REST API; default: the local server's")
	cmd.Flags().StringVar(&out, "out", "", "`file` to write, - for standard output")
	cmd.Flags().StringSliceVar(&topics, "topic", nil, "only this `topic`; may be repeated")
	cmd.Flags().StringVar(&f.data, "data", ".skystash", "`folder` of the local server")
	return cmd
}

func newImportKafka() *cobra.Command {
	var f endpointFlags
	var from, to string
	var topics []string
	cmd := &cobra.Command{
		Use:   "kafka",
		Short: "Bring in topics of a Kafka cluster with their messages",
		Long: `Bring in topics of a Kafka cluster with their messages, over REST or from a file that "skystash export kafka" has
written. Messages keep their partitions, order, times and headers; they get new offsets. Topics that the target has not are
made in the local server; elsewhere they have to be there. An import that is repeated produces the messages once more.
Credentials are read from SKYSTASH_FROM_USERNAME, SKYSTASH_FROM_TOKEN, SKYSTASH_TO_USERNAME and SKYSTASH_TO_TOKEN.`,
		Example: `  skystash import kafka --from kafka.jsonl`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return errNoFrom
			}
			target, err := f.kafka(to, "SKYSTASH_TO")
			if err != nil {
				return err
			}
			w := &kafkaWriter{to: target}
			if w.there, err = target.topics(cmd.Context()); err != nil {
				return err
			}
			if w.there == nil {
				w.there = map[string]int{}
			}
			each := func(line exportLine) error { return w.write(cmd.Context(), line) }
			if isServer(from) {
				var source *kafkaAPI
				if source, err = f.kafka(from, "SKYSTASH_FROM"); err == nil {
					err = source.read(cmd.Context(), topics, each)
				}
			} else {
				err = readLines(from, each)
			}
			if err == nil {
				err = w.flush(cmd.Context())
			}
			if err != nil {
				return fmt.Errorf("after %d messages: %w", w.messages, err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "imported %d topics, %d messages\n", w.topics, w.messages)
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`URL` of a cluster's REST API, or file, to read from")
	cmd.Flags().StringVar(&to, "to", "", "`URL` of the REST API to write to; default: the local server's")
	cmd.Flags().StringSliceVar(&topics, "topic", nil, "only this `topic` of a server; may be repeated")
	cmd.Flags().StringVar(&f.data, "data", ".skystash", "`folder` of the local server")
	return cmd
}
