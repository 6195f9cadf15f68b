package main

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// route makes a function answer requests.
type route struct {
	id, key, function string
	iam               bool // only for callers whom IAM allows it; else the function checks
}

var routes = []route{
	{id: "SlackCommands", key: "POST /slack/commands", function: "slack"},
	{id: "SlackInteractions", key: "POST /slack/interactions", function: "slack"},
	{id: "SlackOptions", key: "POST /slack/options", function: "slack"},
	{id: "SlackEvents", key: "POST /slack/events", function: "slack"},
	{id: "Open", key: "GET /open/{id}", function: "slack"},
	{id: "Api", key: "ANY /api/v1/{proxy+}", function: "api"},
	{id: "Config", key: "ANY /api/v1/entities/{proxy+}", function: "config"},
	{id: "SignedConfig", key: "ANY /api/v1/signed/entities/{proxy+}", function: "config", iam: true},
	{id: "Mcp", key: "ANY /mcp", function: "api"},
	{id: "Tokens", key: "ANY /api/v1/tokens", function: "tokens", iam: true},
	{id: "Token", key: "ANY /api/v1/tokens/{id}", function: "tokens", iam: true},
	{id: "Identities", key: "ANY /api/v1/identities", function: "tokens", iam: true},
	{id: "Users", key: "ANY /api/v1/users", function: "tokens", iam: true},
}

// addAPI makes the HTTP API. Paths reach the functions as they are.
func (d *deployment) addAPI() {
	d.api = awsapigatewayv2.NewCfnApi(d.stack, jsii.String("HttpApi"), &awsapigatewayv2.CfnApiProps{
		Name: jsii.String(d.options.name), ProtocolType: jsii.String("HTTP"),
		Description: jsii.String("Sym Flows: Slack's requests, the Events API and its tokens, and the configuration API"),
		// Where a firewall is before the API, there is no way round it.
		DisableExecuteApiEndpoint: trueIf(d.options.webACL != ""),
	})
	d.addEdge()
	targets := map[string]*string{}
	for _, r := range routes {
		if targets[r.function] == nil {
			targets[r.function] = d.integration(r.function)
		}
		authorisation := "NONE"
		if r.iam {
			authorisation = "AWS_IAM"
		}
		var authorizer *string
		if d.edge != nil && !r.iam {
			authorisation, authorizer = "CUSTOM", d.edge.Ref()
		}
		made := awsapigatewayv2.NewCfnRoute(d.stack, jsii.String(r.id+"Route"), &awsapigatewayv2.CfnRouteProps{
			ApiId: d.api.Ref(), RouteKey: jsii.String(r.key), Target: targets[r.function], AuthorizationType: jsii.String(authorisation), AuthorizerId: authorizer,
		})
		switch {
		case r.id == "Open":
			suppress(made, "AwsSolutions-APIG4", "It tells nothing, and leads on to Slack, where people sign in")
		case r.function == "slack":
			suppress(made, "AwsSolutions-APIG4", "Slack signs its requests, and the function refuses those without a valid signature")
		case r.function == "api":
			suppress(made, "AwsSolutions-APIG4", "The function refuses requests without a bot token that is valid")
		case r.id == "Config":
			suppress(made, "AwsSolutions-APIG4", "The function refuses requests without a bot token that is valid and may configure")
		}
	}
	d.addStage()
	d.addDomain()
	// Links to runs lead to the API, which is known only now.
	d.functions["slack"].AddPropertyOverride(jsii.String("Environment.Variables.SYM_URL"), d.address())
}

// trueIf gives a property that is left out unless it is true.
func trueIf(is bool) *bool {
	if !is {
		return nil
	}
	return &is
}

func (d *deployment) integration(function string) *string {
	made := awsapigatewayv2.NewCfnIntegration(d.stack, jsii.String(title(function)+"Integration"), &awsapigatewayv2.CfnIntegrationProps{
		ApiId: d.api.Ref(), IntegrationType: jsii.String("AWS_PROXY"), IntegrationUri: d.functions[function].AttrArn(), PayloadFormatVersion: jsii.String("2.0"),
	})
	awslambda.NewCfnPermission(d.stack, jsii.String(title(function)+"ApiPermission"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: d.functions[function].Ref(),
		Principal: jsii.String("apigateway.amazonaws.com"), SourceArn: jsii.String(d.arn("execute-api", *d.api.Ref()+"/*")),
	})
	return jsii.String("integrations/" + *made.Ref())
}

// addStage makes the stage that is at the root of the address: throttled, and
// logged without anything that callers sent but their address and the route.
func (d *deployment) addStage() {
	logs := d.logGroup("ApiAccessLogs", "/aws/vendedlogs/apigateway/"+d.options.name)
	format, err := json.Marshal(map[string]string{
		"time": "$context.requestTime", "requestId": "$context.requestId", "ip": "$context.identity.sourceIp",
		"route": "$context.routeKey", "status": "$context.status", "latency": "$context.responseLatency",
		"integrationStatus": "$context.integrationStatus", "error": "$context.integrationErrorMessage", "bytes": "$context.responseLength",
	})
	if err != nil {
		panic(err) // texts always have a JSON form
	}
	d.stage = awsapigatewayv2.NewCfnStage(d.stack, jsii.String("ApiStage"), &awsapigatewayv2.CfnStageProps{
		ApiId: d.api.Ref(), StageName: jsii.String("$default"), AutoDeploy: jsii.Bool(true),
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingRateLimit: jsii.Number(d.options.rateLimit), ThrottlingBurstLimit: jsii.Number(d.options.burstLimit),
		},
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{DestinationArn: logs.AttrArn(), Format: jsii.String(string(format))},
	})
}
