package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/jsii-runtime-go"
)

// addFlows has the CLI upload the configuration, without what is for one machine
// only, for publish to read.
func (d *deployment) addFlows() {
	d.flowsAsset = awss3assets.NewAsset(d.stack, jsii.String("Flows"), &awss3assets.AssetProps{
		Path: jsii.String(d.options.flows), Exclude: jsii.Strings(onThisMachine...),
	})
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
			"ServiceTimeout": jsii.Number(timeoutOf("publish").Seconds() + 60),
			"Bucket":         d.flowsAsset.S3BucketName(),
			"Key":            d.flowsAsset.S3ObjectKey(),
			"Org":            d.options.org,
			"Build":          *d.digests["publish"] + *d.digests[pythonFunction], // which looks at Python
		},
	})
	for _, name := range functionNames { // what reads a configuration knows its form
		published.AddDependency(d.functions[name])
	}
	for _, name := range []string{"access", "approval", pythonFunction} {
		rights := d.configuredRights()[name]
		if len(rights) == 0 {
			continue
		}
		targets := awsiam.NewCfnRolePolicy(d.stack, jsii.String(title(name)+"Targets"), &awsiam.CfnRolePolicyProps{
			PolicyName: jsii.String("targets"), RoleName: d.roles[name].Ref(), PolicyDocument: policy(rights),
		})
		targets.AddDependency(published)
		suppressWildcards(targets)
	}
}
