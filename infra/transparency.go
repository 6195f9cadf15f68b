package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/aws/logbucket"
)

// What is removed from the bucket of the transparency log is the partial files alone,
// which are in later ones.
const partialDays = 7

// logTries is how often what can't be logged is tried, once in each visibility time-out of
// the queue: as long as a bad day of Firehose.
const logTries = 480

// logLocked is what transparency is told where its bucket locks.
const logLocked = "locked"

// addTransparency makes what the transparency log is written from, signed by and kept in:
// a queue, in which relay puts what was recorded, in one order; a secret; and a bucket,
// whose files never expire.
func (d *deployment) addTransparency() {
	d.logDeadLetters = d.queue("LogDeadLetters", 0, nil)
	d.logDeadLetters.SetFifoQueue(jsii.Bool(true))
	// Its messages are hidden for longer than who took them may work.
	d.logQueue = d.queue("LogQueue", timeoutOf("transparency")+time.Minute, &redrive{to: d.logDeadLetters, after: logTries})
	d.logQueue.SetFifoQueue(jsii.Bool(true))

	// AWS makes it, of random characters from which the key is made (transparency.KeysFrom),
	// so that no person need ever see it, and nobody but AWS can have.
	d.logKey = awssecretsmanager.NewCfnSecret(d.stack, jsii.String("LogKey"), &awssecretsmanager.CfnSecretProps{
		Description: jsii.String("Sym Flows: what the key that signs the transparency log is made from"), KmsKeyId: d.key,
		GenerateSecretString: &awssecretsmanager.CfnSecret_GenerateSecretStringProperty{PasswordLength: jsii.Number(64), ExcludePunctuation: jsii.Bool(true)},
	})
	d.logKey.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE, nil)
	d.kept = append(d.kept, "LogKey")
	suppress(d.logKey, "AwsSolutions-SMG4", "Who verifies the log has to be told of another key: people change it, by docs/audit.md")
}

// logOrigin is the name of the log, which its signatures have.
func (d *deployment) logOrigin() string {
	return fmt.Sprintf("aws/%s/%s/%s", *awscdk.Aws_REGION(), *awscdk.Aws_ACCOUNT_ID(), d.options.name)
}

// logLock says whether the log's bucket locks.
func (d *deployment) logLock() string {
	if d.options.objectLock.days > 0 {
		return logLocked
	}
	return ""
}

// sendCheckpoints is what it takes to send checkpoints elsewhere.
func (d *deployment) sendCheckpoints() []right {
	if name, prefix, ok := logbucket.Parse(d.options.checkpoints); ok {
		return []right{{actions: []string{"s3:PutObject"}, resources: []string{"arn:" + *awscdk.Aws_PARTITION() + ":s3:::" + name + "/" + prefix + "checkpoints/*"}}}
	}
	if d.options.checkpoints != "" {
		return []right{readSecrets(*d.slackSecret.Ref())}
	}
	return nil
}

// checkpointsSlack is the secret by which a channel is reached, if checkpoints go there.
func (d *deployment) checkpointsSlack() string {
	if strings.HasPrefix(d.options.checkpoints, "#") {
		return *d.slackSecret.Ref()
	}
	return ""
}

// readLog is what it takes to read the files of the log. Who may not list a bucket is
// refused what is not there, in place of being told so
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
func (d *deployment) readLog() []right {
	return []right{
		{actions: []string{"s3:GetObject"}, resources: []string{*d.logBucket.AttrArn() + "/*"}},
		{actions: []string{"s3:ListBucket"}, resources: []string{*d.logBucket.AttrArn()}},
	}
}

// writeLog is what it takes to write them. Only partial ones can be deleted, and locked for
// less than all others.
func (d *deployment) writeLog() []right {
	partial := right{actions: []string{"s3:DeleteObject"}, resources: []string{*d.logBucket.AttrArn() + "/tile/*.p/*"}}
	if d.logLock() != "" {
		partial.actions = append(partial.actions, "s3:PutObjectRetention")
	}
	return append(d.readLog(), right{actions: []string{"s3:PutObject"}, resources: []string{*d.logBucket.AttrArn() + "/*"}}, partial)
}
