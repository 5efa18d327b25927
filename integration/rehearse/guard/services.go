package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/skystash/skystash/integration/rehearse/iam"
)

// read finds out what a request is, and which rights it needs.
func (g *Guard) read(c *call, r *http.Request, region string) error {
	if _, target, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		c.target = target
	}
	if len(c.body) > 0 && c.service != "s3" {
		if err := json.Unmarshal(c.body, &c.in); err != nil {
			return fmt.Errorf("a body that is no JSON: %w", err)
		}
	}
	arn := func(service, name string) string {
		return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, region, g.Account, name)
	}
	need := func(action, resource string) {
		c.needs = append(c.needs, iam.Request{Action: action, Resource: resource})
	}
	switch c.service {
	case "dynamodb":
		return tables(c, func(action, table string) { need("dynamodb:"+action, arn("dynamodb", "table/"+table)) })
	case "kinesis":
		stream := text(c.in, "StreamName")
		if iterator := text(c.in, "ShardIterator"); iterator != "" {
			g.mu.Lock()
			stream, _, _ = strings.Cut(g.of[iterator], " ")
			g.mu.Unlock()
		}
		if stream == "" {
			return errors.New("a call to Kinesis that names no stream")
		}
		need("kinesis:"+c.target, arn("kinesis", "stream/"+stream))
	case "sqs":
		queue := text(c.in, "QueueUrl")
		need("sqs:"+strings.TrimSuffix(c.target, "Batch"), arn("sqs", queue[strings.LastIndex(queue, "/")+1:]))
	case "ssm":
		name := text(c.in, "Name")
		if name == "" {
			name = text(c.in, "Path")
		}
		need("ssm:"+c.target, arn("ssm", "parameter/"+strings.TrimPrefix(name, "/")))
	case "scheduler":
		name := strings.TrimPrefix(r.URL.Path, "/schedules/")
		group := text(c.in, "GroupName")
		if group == "" {
			group = r.URL.Query().Get("groupName")
		}
		c.target = map[string]string{http.MethodPost: "CreateSchedule", http.MethodDelete: "DeleteSchedule", http.MethodGet: "GetSchedule", http.MethodPut: "UpdateSchedule"}[r.Method]
		need("scheduler:"+c.target, arn("scheduler", "schedule/"+group+"/"+name))
		if target, ok := c.in["Target"].(map[string]any); ok {
			c.needs = append(c.needs, iam.Request{
				Action: "iam:PassRole", Resource: text(target, "RoleArn"), Context: map[string][]string{"iam:PassedToService": {"scheduler.amazonaws.com"}},
			})
		}
	case "s3":
		bucket, object, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		query := r.URL.Query()
		switch {
		case object == "" && query.Has("delete"):
			c.target = "DeleteObject"
			object = "*"
		case object == "" && r.Method == http.MethodGet:
			need("s3:ListBucket", "arn:aws:s3:::"+bucket)
			c.target = "ListBucket"
			return nil
		default:
			c.target = map[string]string{http.MethodGet: "GetObject", http.MethodHead: "GetObject", http.MethodPut: "PutObject", http.MethodDelete: "DeleteObject"}[r.Method]
		}
		need("s3:"+c.target, "arn:aws:s3:::"+bucket+"/"+object)
	default:
		return fmt.Errorf("no rehearsal of the service %s", c.service)
	}
	if c.target == "" {
		return errors.New("an operation that is not known")
	}
	return nil
}

// tables names the rights that a call to DynamoDB needs: a transaction those of the actions that it is made of.
func tables(c *call, need func(action, table string)) error {
	if of, ok := c.in["RequestItems"].(map[string]any); ok {
		for table := range of {
			need(c.target, table)
		}
		return nil
	}
	items, ok := c.in["TransactItems"].([]any)
	if !ok {
		if text(c.in, "TableName") == "" {
			return fmt.Errorf("%s names no table", c.target)
		}
		need(c.target, text(c.in, "TableName"))
		return nil
	}
	for _, item := range items {
		of, _ := item.(map[string]any)
		for name, v := range of {
			action, known := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem", "Get": "GetItem"}[name]
			part, _ := v.(map[string]any)
			if !known {
				return fmt.Errorf("a transaction with %s", name)
			}
			need(action, text(part, "TableName"))
		}
	}
	return nil
}

func text(in map[string]any, name string) string {
	s, _ := in[name].(string)
	return s
}
