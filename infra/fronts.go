package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// fronts says how a product is reached.
type fronts struct {
	name        string // in construct ids: "Redis"
	description string
	variable    string // that clients find the URL in
	direct      string // what the function URL has over the HTTP API
	streams     bool   // answers may be streams, through the function URL
}

// openFronts puts an HTTP API and a function URL in front of a function, or one of them. Requests carry their own
// credentials, so both are open and the function checks.
func openFronts(stack awscdk.Stack, cfg Config, fn awslambda.Function, f fronts) {
	if cfg.has(frontAPI) {
		api := openAPI(stack, cfg, fn, f.name, f.description)
		output(stack, "Url", api.ApiEndpoint(), f.variable+" through API Gateway")
	}
	if !cfg.has(frontURL) {
		return
	}
	options := awslambda.FunctionUrlOptions{AuthType: awslambda.FunctionUrlAuthType_NONE}
	if f.streams {
		options.InvokeMode = awslambda.InvokeMode_RESPONSE_STREAM
	}
	functionURL := fn.AddFunctionUrl(&options)

	output(stack, "FunctionUrl", functionURL.Url(), f.variable+" without API Gateway: "+f.direct)
}

// openAPI puts an HTTP API in front of a function.
func openAPI(stack awscdk.Stack, cfg Config, fn awslambda.Function, name, description string) awsapigatewayv2.HttpApi {
	api := awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		ApiName:     stack.StackName(),
		Description: &description,
		DefaultIntegration: awsapigatewayv2integrations.NewHttpLambdaIntegration(
			&name, fn, &awsapigatewayv2integrations.HttpLambdaIntegrationProps{
				PayloadFormatVersion: awsapigatewayv2.PayloadFormatVersion_VERSION_2_0(),
			}),
	})
	boundAPI(stack, cfg, api)
	return api
}
