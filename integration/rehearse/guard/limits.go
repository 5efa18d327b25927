package guard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Limits of AWS, https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html.
const (
	maxBatchGet    = 100
	maxBatchWrite  = 25
	maxTransaction = 100
	maxRequest     = 4 << 20 // bytes of items in a transaction; the whole request stands for them
	maxBatchBytes  = 16 << 20
	maxPutRecords  = 500
	maxPutBytes    = 10 << 20 // of a call of PutRecords, encoded in base64
	readsPerShard  = 5        // a second
	maxSQSBatch    = 10
	maxSQSBytes    = 1 << 20
	maxSQSDelay    = 15 * 60
	maxSchedule    = 64 // characters of a schedule's name
)

// limit tells which of AWS's limits a call is beyond, and how AWS names that; "": none.
func (g *Guard) limit(c *call) (name, why string) {
	const invalid = "ValidationException"
	over := func(what string, is, most int) string {
		if is <= most {
			return ""
		}
		return fmt.Sprintf("%d %s, of at most %d", is, what, most)
	}
	switch c.service + ":" + c.target {
	case "dynamodb:BatchGetItem":
		return invalid, over("keys", requestItems(c.in), maxBatchGet)
	case "dynamodb:BatchWriteItem":
		if why := over("items", requestItems(c.in), maxBatchWrite); why != "" {
			return invalid, why
		}
		return invalid, over("bytes", len(c.body), maxBatchBytes*4/3+1<<16)
	case "dynamodb:TransactWriteItems", "dynamodb:TransactGetItems":
		items, _ := c.in["TransactItems"].([]any)
		if why := over("items", len(items), maxTransaction); why != "" {
			return invalid, why
		}
		return invalid, over("bytes", binary(c.in), maxRequest)
	case "kinesis:PutRecords":
		records, _ := c.in["Records"].([]any)
		if why := over("records", len(records), maxPutRecords); why != "" {
			return "InvalidArgumentException", why
		}
		return "InvalidArgumentException", over("bytes", len(c.body), maxPutBytes*4/3)
	case "kinesis:GetRecords":
		return "ProvisionedThroughputExceededException", g.readsOf(text(c.in, "ShardIterator"))
	case "sqs:SendMessageBatch":
		entries, _ := c.in["Entries"].([]any)
		if why := over("messages", len(entries), maxSQSBatch); why != "" {
			return "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", why
		}
		for _, e := range entries {
			entry, _ := e.(map[string]any)
			if delay, _ := entry["DelaySeconds"].(float64); delay > maxSQSDelay {
				return "InvalidParameterValue", over("seconds of delay", int(delay), maxSQSDelay)
			}
		}
		return "AWS.SimpleQueueService.BatchRequestTooLong", over("bytes", len(c.body), maxSQSBytes)
	case "sqs:SendMessage":
		delay, _ := c.in["DelaySeconds"].(float64)
		return "InvalidParameterValue", over("seconds of delay", int(delay), maxSQSDelay)
	case "scheduler:CreateSchedule":
		resource := c.needs[0].Resource
		return invalid, over("characters of a name", len(resource)-1-bytes.LastIndexByte([]byte(resource), '/'), maxSchedule)
	}
	return "", ""
}

// requestItems counts the items of a batch.
func requestItems(in map[string]any) int {
	of, _ := in["RequestItems"].(map[string]any)
	n := 0
	for _, v := range of {
		switch v := v.(type) {
		case []any:
			n += len(v)
		case map[string]any:
			keys, _ := v["Keys"].([]any)
			n += len(keys)
		}
	}
	return n
}

// binary is about the size of the values in a request: three quarters of what is in base64.
func binary(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if s, ok := e.(string); ok && name == "B" {
				n += len(s) * 3 / 4
				continue
			}
			n += binary(e)
		}
	case []any:
		for _, e := range v {
			n += binary(e)
		}
	case string:
		n = len(v)
	}
	return n
}

// readsOf counts a read of a shard.
func (g *Guard) readsOf(iterator string) (why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.Now != nil {
		now = g.Now()
	}
	if g.shards == nil {
		g.shards = map[string][]time.Time{}
	}
	shard := g.of[iterator]
	var recent []time.Time
	for _, at := range g.shards[shard] {
		if now.Sub(at) < time.Second {
			recent = append(recent, at)
		}
	}
	if g.shards[shard] = append(recent, now); len(recent) >= readsPerShard {
		g.shards[shard] = recent // one that is refused does not count
		return fmt.Sprintf("%d reads of %s within a second", len(recent)+1, shard)
	}
	return ""
}

// remember keeps which shard an iterator is of: the call that uses it does not say.
func (g *Guard) remember(c *call, answer *http.Response) error {
	if c.target != "GetShardIterator" && c.target != "GetRecords" {
		return nil
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	var out struct{ ShardIterator, NextShardIterator string }
	if err := json.Unmarshal(body, &out); err != nil {
		return fmt.Errorf("guard: an answer of Kinesis: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of == nil {
		g.of = map[string]string{}
	}
	if c.target == "GetShardIterator" {
		g.of[out.ShardIterator] = text(c.in, "StreamName") + " " + text(c.in, "ShardId")
	} else if out.NextShardIterator != "" {
		g.of[out.NextShardIterator] = g.of[text(c.in, "ShardIterator")]
	}
	return nil
}
