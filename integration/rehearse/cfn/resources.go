package cfn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// kind is how resources of a type are named.
type kind struct {
	property string // that names it; otherwise it is named after the stack and its logical name
	service  string // in ARNs
	path     string // before the name in ARNs
}

// kinds are those whose names and ARNs functions and policies see.
var kinds = map[string]kind{
	"AWS::DynamoDB::Table":          {"TableName", "dynamodb", "table/"},
	"AWS::DynamoDB::GlobalTable":    {"TableName", "dynamodb", "table/"},
	"AWS::Lambda::Function":         {"FunctionName", "lambda", "function:"},
	"AWS::SQS::Queue":               {"QueueName", "sqs", ""},
	"AWS::Kinesis::Stream":          {"Name", "kinesis", "stream/"},
	"AWS::S3::Bucket":               {"BucketName", "s3", ""},
	"AWS::IAM::Role":                {"RoleName", "iam", "role/"},
	"AWS::Scheduler::ScheduleGroup": {"Name", "scheduler", "schedule-group/"},
	"AWS::Logs::LogGroup":           {"LogGroupName", "logs", "log-group:"},
	"AWS::SNS::Topic":               {"TopicName", "sns", ""},
	"AWS::ECS::Cluster":             {"ClusterName", "ecs", "cluster/"},
	"AWS::ECS::TaskDefinition":      {"Family", "ecs", "task-definition/"},
}

// ref is what Ref gives.
func (s *Stack) ref(name string) (any, error) {
	switch name {
	case "AWS::Region":
		return s.Region, nil
	case "AWS::AccountId":
		return Account, nil
	case "AWS::Partition":
		return "aws", nil
	case "AWS::URLSuffix":
		return "amazonaws.com", nil
	case "AWS::StackName":
		return s.Name, nil
	case "AWS::StackId":
		return fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%s", s.Region, Account, s.Name, short(s.Name)), nil
	case "AWS::NoValue":
		return noValue{}, nil
	}
	if p, ok := s.parameters[name]; ok {
		if !strings.HasPrefix(p.Type, "AWS::SSM::Parameter::Value<") {
			return p.Default, nil
		}
		value, ok := s.app.given[fmt.Sprint(p.Default)]
		if !ok {
			return nil, fmt.Errorf("there is no parameter %v in Parameter Store", p.Default)
		}
		return value, nil
	}
	r, ok := s.Resources[name]
	if !ok {
		return nil, fmt.Errorf("there is no %s", name)
	}
	physical, err := s.physical(name)
	if err != nil {
		return nil, err
	}
	switch r.Type {
	case "AWS::SQS::Queue":
		return fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", s.Region, Account, physical), nil
	case "AWS::SNS::Topic", "AWS::ECS::TaskDefinition", "AWS::ElasticLoadBalancingV2::LoadBalancer":
		return s.attribute(name, "Arn")
	}
	return physical, nil
}

// physical is the name that a resource has in AWS.
func (s *Stack) physical(name string) (string, error) {
	r := s.Resources[name]
	if property := kinds[r.Type].property; property != "" && r.Properties[property] != nil {
		return s.text(r.Properties[property])
	}
	physical := s.Name + "-" + name + "-" + short(s.Name+name)
	if r.Type == "AWS::S3::Bucket" {
		physical = strings.ToLower(physical)
	}
	return physical, nil
}

// short stands for what CloudFormation makes names unique by.
func short(of string) string {
	sum := sha256.Sum256([]byte(of))
	return strings.ToUpper(hex.EncodeToString(sum[:6]))
}

// attribute is what Fn::GetAtt gives.
func (s *Stack) attribute(name, attribute string) (any, error) {
	r, ok := s.Resources[name]
	if !ok {
		return nil, fmt.Errorf("there is no %s", name)
	}
	if r.Type == "Custom::CrossRegionExportReader" {
		return s.app.written(attribute)
	}
	physical, err := s.physical(name)
	if err != nil {
		return nil, err
	}
	switch attribute {
	case "QueueName":
		return physical, nil
	case "FunctionUrl":
		return fmt.Sprintf("https://%s.lambda-url.%s.on.aws/", strings.ToLower(short(physical)), s.Region), nil
	case "ApiEndpoint":
		return fmt.Sprintf("https://%s.execute-api.%s.amazonaws.com", strings.ToLower(short(physical)), s.Region), nil
	case "StreamArn":
		arn := s.arn(r.Type, physical)
		return arn + "/stream/2026-01-01T00:00:00.000", nil
	case "RegionalDomainName":
		return fmt.Sprintf("%s.s3.%s.amazonaws.com", physical, s.Region), nil
	case "Arn":
		arn := s.arn(r.Type, physical)
		if r.Type == "AWS::Logs::LogGroup" {
			arn += ":*"
		}
		return arn, nil
	}
	// Of networks and the like, which nothing in the rehearsal looks at.
	return physical + "." + attribute, nil
}

// written is what a stack has written into the Parameter Store of another region for a stack there.
func (a *App) written(name string) (any, error) {
	for _, s := range a.Stacks {
		for _, writer := range s.Of("Custom::CrossRegionExportWriter") {
			properties, _ := s.Resources[writer].Properties["WriterProps"].(map[string]any)
			exports, _ := properties["exports"].(map[string]any)
			if v, ok := exports[name]; ok {
				return s.Resolve(v)
			}
		}
	}
	return nil, fmt.Errorf("no stack writes %s", name)
}

func (s *Stack) arn(of, physical string) string {
	k, ok := kinds[of]
	if !ok {
		parts := strings.Split(strings.ToLower(of), "::")
		k = kind{service: parts[1], path: parts[len(parts)-1] + "/"}
	}
	switch k.service {
	case "s3":
		return "arn:aws:s3:::" + physical
	case "iam":
		return fmt.Sprintf("arn:aws:iam::%s:%s%s", Account, k.path, physical)
	}
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s%s", k.service, s.Region, Account, k.path, physical)
}
