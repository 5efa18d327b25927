package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

// Ways to reach a product.
const (
	frontURL = "url" // the function's own URL
	frontAPI = "api" // an HTTP API
)

// Options are bounds and extras that are off unless somebody wants them; see the package's documentation.
type Options struct {
	Fronts      []string       // frontURL, frontAPI or both
	Concurrency map[string]int // instances at a time that serve a product; missing: as many as it takes
	APIRate     int            // requests a second of an HTTP API; 0: the account's
	APIBurst    int            // and in a moment
	AccessLogs  bool           // of HTTP APIs
	Tracing     bool           // by X-Ray
	TableKey    string         // ARN of the KMS key that tables are encrypted with; "": DynamoDB's own
	Tags        map[string]string
}

func readOptions(text func(name, byDefault string) string) (o Options, err error) {
	if o.Fronts = nameList(text("fronts", frontURL+","+frontAPI)); len(o.Fronts) == 0 {
		return o, errors.New("context fronts: there must be one")
	}
	for i, front := range o.Fronts {
		if front != frontURL && front != frontAPI || slices.Contains(o.Fronts[:i], front) {
			return o, fmt.Errorf("context fronts: %q is no list of url and api", text("fronts", ""))
		}
	}
	number := func(name string, most int) int {
		n, parseErr := strconv.Atoi(text(name, "0"))
		if parseErr != nil || n < 0 || n > most {
			err = errors.Join(err, fmt.Errorf("context %s: %q is no number from 0 to %d", name, text(name, ""), most))
		}
		return n
	}
	for _, product := range allProducts {
		if n := number(product+"Instances", 10_000); n > 0 {
			if o.Concurrency == nil {
				o.Concurrency = map[string]int{}
			}
			o.Concurrency[product] = n
		}
	}
	o.APIRate, o.APIBurst = number("apiRate", 100_000), number("apiBurst", 100_000)
	if (o.APIRate == 0) != (o.APIBurst == 0) {
		err = errors.Join(err, errors.New("context apiRate: apiRate and apiBurst go together"))
	}
	for name, to := range map[string]*bool{"accessLogs": &o.AccessLogs, "tracing": &o.Tracing} {
		var fault error
		*to, fault = truth(name, text(name, "false"))
		err = errors.Join(err, fault)
	}
	if o.TableKey = text("tableKey", ""); o.TableKey != "" && !kmsKey.MatchString(o.TableKey) {
		err = errors.Join(err, fmt.Errorf("context tableKey: %q is no ARN of a KMS key", o.TableKey))
	}
	for _, tag := range strings.FieldsFunc(text("tags", ""), func(r rune) bool { return r == ',' }) {
		name, value, ok := strings.Cut(strings.TrimSpace(tag), "=")
		if !ok || name == "" || strings.HasPrefix(name, "aws:") {
			err = errors.Join(err, fmt.Errorf("context tags: %q is not name=value", tag))
		}
		if o.Tags == nil {
			o.Tags = map[string]string{}
		}
		o.Tags[name] = value
	}
	return o, err
}

var kmsKey = regexp.MustCompile(`^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`)

// has reports whether products are reached in a way.
func (o *Options) has(front string) bool { return slices.Contains(o.Fronts, front) }

// addTags puts the tags on everything in the app.
func addTags(app awscdk.App, cfg Config) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Tags)) {
		awscdk.Tags_Of(app).Add(&name, jsii.String(cfg.Tags[name]), nil)
	}
}

// accessFormat is a line of an access log, which an HTTP API writes for each request. It has no header fields: they hold tokens.
const accessFormat = `{"requestId":"$context.requestId","at":"$context.requestTime","ip":"$context.identity.sourceIp","method":"$context.httpMethod",` +
	`"status":"$context.status","bytes":"$context.responseLength","ms":"$context.responseLatency","integrationMs":"$context.integrationLatency","error":"$context.error.message"}`

// boundAPI gives the stage of an HTTP API its bounds and its log.
func boundAPI(stack awscdk.Stack, cfg Config, api awsapigatewayv2.HttpApi) {
	stage := api.DefaultStage().Node().DefaultChild().(awsapigatewayv2.CfnStage)
	if cfg.APIRate > 0 {
		stage.SetDefaultRouteSettings(&awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingRateLimit: jsii.Number(cfg.APIRate), ThrottlingBurstLimit: jsii.Number(cfg.APIBurst),
		})
	}
	if !cfg.AccessLogs {
		return
	}
	logs := awslogs.NewLogGroup(stack, jsii.String("AccessLogs"), &awslogs.LogGroupProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY})
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(cfg.LogRetentionDays))
	stage.SetAccessLogSettings(&awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
		DestinationArn: logs.LogGroupArn(), Format: jsii.String(accessFormat),
	})
}
