package main

import (
	_ "embed"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/jsii-runtime-go"
)

// addFlows makes the CLI upload the configuration, without the files that are for
// one machine only, so that publish can read it.
func (d *deployment) addFlows() {
	d.flowsAsset = awss3assets.NewAsset(d.stack, jsii.String("Flows"), &awss3assets.AssetProps{
		Path: jsii.String(d.options.flows), Exclude: jsii.Strings(onThisMachine...),
	})
}

// uploads begins the ARNs of what the CLI uploads.
func (d *deployment) uploads() string {
	return "arn:" + *awscdk.Aws_PARTITION() + ":s3:::" + *d.flowsAsset.S3BucketName() + "/"
}

// addPublish has the configuration published at each deploy that changes it, or
// the function that reads it. If publish refuses, CloudFormation takes back the
// whole deploy. Then access, approval and handlers have kept the rights that they had: these
// follow publish, which refuses a configuration without something that live access
// needs.
func (d *deployment) addPublish() {
	published := awscdk.NewCfnResource(d.stack, jsii.String("Publish"), &awscdk.CfnResourceProps{
		Type: jsii.String("Custom::Publish"),
		Properties: &map[string]any{
			"ServiceToken":   d.functions["publish"].AttrArn(),
			"ServiceTimeout": jsii.Number(answerWithin.Seconds()),
			"Bucket":         d.flowsAsset.S3BucketName(),
			"Key":            d.flowsAsset.S3ObjectKey(),
			"Org":            d.options.org,
			"Settings":       given(d.stack.Node()),                              // which are written down
			"Build":          *d.digests["publish"] + *d.digests[pythonFunction], // which looks at Python
		},
	})
	published.AddDependency(d.addUnanswered())
	for _, name := range slices.Sorted(maps.Keys(d.functions)) { // what reads a configuration knows its form
		if name != "publish" { // which it refers to
			published.AddDependency(d.functions[name])
		}
	}
	d.addConfigured(published)
}

// unansweredFunction answers CloudFormation if publish has not. It needs nothing
// of what could keep publish from that: it is in the template, in another
// language, and reads no settings.
const unansweredFunction = "unanswered"

//go:embed unanswered.py
var unanswered string

// answerWithin is how long CloudFormation waits for publish: for two tries with a
// minute between them, and for the function that reports that both have failed.
var answerWithin = 2*timeoutOf("publish") + 2*time.Minute

// addUnanswered makes that function, and has Lambda call it when publish has
// failed. The resource is the last one that this takes.
func (d *deployment) addUnanswered() awslambda.CfnEventInvokeConfig {
	logs := d.logGroup(title(unansweredFunction)+"Logs", "/aws/lambda/"+d.qualified(unansweredFunction))
	role := d.role(title(unansweredFunction)+"Role", d.roleName(unansweredFunction), "lambda.amazonaws.com", nil, []right{writeLogs(logs)})
	f := awslambda.NewCfnFunction(d.stack, jsii.String(title(unansweredFunction)+"Function"), &awslambda.CfnFunctionProps{
		FunctionName:  jsii.String(d.qualified(unansweredFunction)),
		Description:   jsii.String("Sym Flows: tells CloudFormation that publish gave no answer"),
		Runtime:       jsii.String(pythonRuntime),
		Architectures: jsii.Strings(d.options.architecture.lambda),
		Handler:       jsii.String("index.handler"),
		Code:          &awslambda.CfnFunction_CodeProperty{ZipFile: jsii.String(unanswered)},
		Role:          role.AttrArn(),
		Timeout:       jsii.Number(30),
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogGroup: logs.Ref(), LogFormat: jsii.String("JSON")},
		TracingConfig: &awslambda.CfnFunction_TracingConfigProperty{Mode: jsii.String("PassThrough")},
	})
	suppress(f, "AwsSolutions-L1", "It is in the version of Python that handlers run in, so that there is one to follow")
	return d.asynchronous("publish", int((answerWithin - time.Minute).Seconds()), 1, f.AttrArn())
}
