package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// addChecks checks the template against AWS's list of good practice
// (https://github.com/cdklabs/cdk-nag, AWS Solutions): a finding that nothing
// suppresses fails synth.
func (d *deployment) addChecks(app awscdk.App) {
	if d.key == nil {
		suppress(d.alarmTopic, "AwsSolutions-SNS2", "Alarms name resources and say what to do, no secrets; CloudWatch can't publish with the key that SNS has for everybody")
	}
	checkPractice(app)
}

func checkPractice(app awscdk.App) {
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true), Reports: jsii.Bool(false)}), nil)
}

// suppress marks a finding as accepted, with the reason.
func suppress(at constructs.IConstruct, id, reason string) {
	cdknag.NagSuppressions_AddResourceSuppressions(at, &[]*cdknag.NagPackSuppression{{Id: jsii.String(id), Reason: jsii.String(reason)}}, nil)
}

// suppressWildcards accepts stars in the rights of a role, which have a test of
// their own.
func suppressWildcards(at constructs.IConstruct) {
	suppress(at, "AwsSolutions-IAM5", "Each right is listed in infra/testdata/rights.txt and reviewed there. Stars stand for what IAM can't limit to resources, or for all of one kind that is this deployment's own")
}
