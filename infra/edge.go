package main

import (
	_ "embed"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"
)

// edgeFunction lets requests pass that come by way of CloudFront. It is in the
// template, in another language, like unanswered.
const edgeFunction = "edge"

// edgeHeader has what CloudFront and edgeFunction alone know.
const edgeHeader = "x-sym-edge"

//go:embed edge.py
var edge string

// CloudFront's own policies: nothing is kept, and all of a request but its Host reaches
// the API, so that signatures over headers and body hold.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html
const (
	cachingDisabled           = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
	allViewerExceptHostHeader = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
)

// edgeCacheSeconds is how long API Gateway takes the function's word for a header: as
// long as it can.
const edgeCacheSeconds = 3600

// address is where this deployment is reached.
func (d *deployment) address() string {
	if d.options.domain != "" {
		return "https://" + d.options.domain
	}
	return *d.api.AttrApiEndpoint()
}

// addDomain has the API answer at a domain of the customer's: at that of the option
// domain, or where CloudFront is before it, at that of originDomain.
func (d *deployment) addDomain() {
	name, certificate := d.options.domain, d.options.certificate
	if d.options.webACL != "" {
		name, certificate = d.options.originDomain, d.options.originCertificate
	}
	if name == "" {
		return
	}
	domain := awsapigatewayv2.NewCfnDomainName(d.stack, jsii.String("Domain"), &awsapigatewayv2.CfnDomainNameProps{
		DomainName: jsii.String(name),
		DomainNameConfigurations: []any{&awsapigatewayv2.CfnDomainName_DomainNameConfigurationProperty{
			CertificateArn: jsii.String(certificate), EndpointType: jsii.String("REGIONAL"), SecurityPolicy: jsii.String("TLS_1_2"),
		}},
	})
	mapping := awsapigatewayv2.NewCfnApiMapping(d.stack, jsii.String("DomainMapping"), &awsapigatewayv2.CfnApiMappingProps{
		ApiId: d.api.Ref(), DomainName: domain.Ref(), Stage: d.stage.Ref(),
	})
	if d.options.webACL == "" {
		d.output("DomainTarget", *domain.AttrRegionalDomainName(), "DNS: what "+name+" is to be a CNAME of")
		return
	}
	d.output("OriginTarget", *domain.AttrRegionalDomainName(), "DNS: what "+name+" is to be a CNAME of")
	d.addDistribution(name).AddDependency(mapping)
}

// addDistribution makes the distribution of CloudFront that stands before the API,
// with the customer's firewall.
func (d *deployment) addDistribution(origin string) awscloudfront.CfnDistribution {
	made := awscloudfront.NewCfnDistribution(d.stack, jsii.String("Distribution"), &awscloudfront.CfnDistributionProps{
		DistributionConfig: &awscloudfront.CfnDistribution_DistributionConfigProperty{
			Enabled: jsii.Bool(true), Comment: jsii.String("Sym Flows: " + d.options.name), HttpVersion: jsii.String("http2and3"),
			Aliases: jsii.Strings(d.options.domain), WebAclId: jsii.String(d.options.webACL),
			ViewerCertificate: &awscloudfront.CfnDistribution_ViewerCertificateProperty{
				AcmCertificateArn: jsii.String(d.options.certificate), SslSupportMethod: jsii.String("sni-only"), MinimumProtocolVersion: jsii.String("TLSv1.2_2021"),
			},
			Origins: []any{&awscloudfront.CfnDistribution_OriginProperty{
				Id: jsii.String("api"), DomainName: jsii.String(origin),
				CustomOriginConfig: &awscloudfront.CfnDistribution_CustomOriginConfigProperty{
					OriginProtocolPolicy: jsii.String("https-only"), OriginSslProtocols: jsii.Strings("TLSv1.2"),
				},
				OriginCustomHeaders: []any{&awscloudfront.CfnDistribution_OriginCustomHeaderProperty{
					HeaderName: jsii.String(edgeHeader), HeaderValue: jsii.String("{{resolve:secretsmanager:" + *d.edgeSecret.Ref() + ":SecretString}}"),
				}},
			}},
			DefaultCacheBehavior: &awscloudfront.CfnDistribution_DefaultCacheBehaviorProperty{
				TargetOriginId: jsii.String("api"), ViewerProtocolPolicy: jsii.String("https-only"),
				AllowedMethods: jsii.Strings("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"),
				CachePolicyId:  jsii.String(cachingDisabled), OriginRequestPolicyId: jsii.String(allViewerExceptHostHeader),
			},
		},
	})
	suppress(made, "AwsSolutions-CFR1", "Slack and programs come from anywhere; who is kept out by country is up to the customer's firewall")
	suppress(made, "AwsSolutions-CFR3", "The API logs each request that passes, and the firewall those that it keeps out; logs of CloudFront would have what neither is to keep")
	d.output("DomainTarget", *made.AttrDomainName(), "DNS: what "+d.options.domain+" is to be a CNAME of")
	return made
}

// addEdge makes what refuses requests that have not come by way of CloudFront, and
// gives it to routes that have no authorisation of IAM.
func (d *deployment) addEdge() {
	if d.options.webACL == "" {
		return
	}
	d.edgeSecret = awssecretsmanager.NewCfnSecret(d.stack, jsii.String("EdgeSecret"), &awssecretsmanager.CfnSecretProps{
		Description: jsii.String("Sym Flows: what CloudFront says to the API"), KmsKeyId: d.key,
		GenerateSecretString: &awssecretsmanager.CfnSecret_GenerateSecretStringProperty{PasswordLength: jsii.Number(64), ExcludePunctuation: jsii.Bool(true)},
	})
	suppress(d.edgeSecret, "AwsSolutions-SMG4", "It keeps requests from going round the firewall and lets nobody in; a new value would cut off those that CloudFront sends with the old one")
	logs := d.logGroup(title(edgeFunction)+"Logs", "/aws/lambda/"+d.qualified(edgeFunction))
	role := d.role(title(edgeFunction)+"Role", d.roleName(edgeFunction), "lambda.amazonaws.com", nil, []right{readSecrets(*d.edgeSecret.Ref()), writeLogs(logs)})
	f := awslambda.NewCfnFunction(d.stack, jsii.String(title(edgeFunction)+"Function"), &awslambda.CfnFunctionProps{
		FunctionName:  jsii.String(d.qualified(edgeFunction)),
		Description:   jsii.String("Sym Flows: lets requests pass that come by way of CloudFront"),
		Runtime:       jsii.String(pythonRuntime),
		Architectures: jsii.Strings(d.options.architecture.lambda),
		Handler:       jsii.String("index.handler"),
		Code:          &awslambda.CfnFunction_CodeProperty{ZipFile: jsii.String(edge)},
		Role:          role.AttrArn(),
		MemorySize:    jsii.Number(512), // which Slack's three seconds wait for
		Timeout:       jsii.Number(5),
		Environment:   &awslambda.CfnFunction_EnvironmentProperty{Variables: map[string]string{"EDGE_SECRET": *d.edgeSecret.Ref()}},
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogGroup: logs.Ref(), LogFormat: jsii.String("JSON")},
		TracingConfig: &awslambda.CfnFunction_TracingConfigProperty{Mode: jsii.String("PassThrough")},
	})
	suppress(f, "AwsSolutions-L1", "It is in the version of Python that handlers run in, so that there is one to follow")
	d.functions[edgeFunction], d.logs[edgeFunction] = f, logs
	d.edge = awsapigatewayv2.NewCfnAuthorizer(d.stack, jsii.String("EdgeAuthorizer"), &awsapigatewayv2.CfnAuthorizerProps{
		ApiId: d.api.Ref(), Name: jsii.String(edgeFunction), AuthorizerType: jsii.String("REQUEST"),
		AuthorizerUri:                  jsii.String("arn:" + *awscdk.Aws_PARTITION() + ":apigateway:" + *awscdk.Aws_REGION() + ":lambda:path/2015-03-31/functions/" + *f.AttrArn() + "/invocations"),
		IdentitySource:                 jsii.Strings("$request.header." + edgeHeader),
		AuthorizerPayloadFormatVersion: jsii.String("2.0"), EnableSimpleResponses: jsii.Bool(true), AuthorizerResultTtlInSeconds: jsii.Number(edgeCacheSeconds),
	})
	awslambda.NewCfnPermission(d.stack, jsii.String("EdgePermission"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: f.Ref(),
		Principal: jsii.String("apigateway.amazonaws.com"), SourceArn: jsii.String(d.arn("execute-api", *d.api.Ref()+"/authorizers/"+*d.edge.Ref())),
	})
}
