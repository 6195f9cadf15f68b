package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"
)

// addSecrets makes the secrets of the Slack app, without values: those are set
// by hand, once, and are in no template. There are two, since the signing secret
// is for those eyes only that check signatures. The secrets of integrations are
// the customers' own, at the paths that the configuration names.
func (d *deployment) addSecrets() {
	secret := func(id, description string) awssecretsmanager.CfnSecret {
		s := awssecretsmanager.NewCfnSecret(d.stack, jsii.String(id), &awssecretsmanager.CfnSecretProps{Description: jsii.String(description), KmsKeyId: d.key})
		s.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE, nil)
		d.kept = append(d.kept, id)
		suppress(s, "AwsSolutions-SMG4", "Slack rotates neither bot tokens nor signing secrets by an API that a function could call")
		return s
	}
	d.slackSecret = secret("SlackSecret", `Sym Flows: {"bot_token": "xoxb-...", "team_id": "T..."}; team_id may be left out`)
	d.slackSigningSecret = secret("SlackSigningSecret", "Sym Flows: the Slack app's signing secret")
}
