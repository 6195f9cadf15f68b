package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
)

// createKey is the value of the option kmsKey that has the stack make a key.
const createKey = "create"

// keyPattern is that of a key's ARN. An alias is none: policies can't name it.
var keyPattern = regexp.MustCompile(`^arn:aws:kms:([a-z]{2}(?:-[a-z]+)+-\d+):\d{12}:key/[a-zA-Z0-9-]+$`)

// addKey finds the key that all that is kept is encrypted by, or makes it. With no
// option kmsKey there is none, and AWS encrypts by keys of its own.
func (d *deployment) addKey() {
	switch d.options.kmsKey {
	case "":
		return
	case createKey:
		key := awskms.NewCfnKey(d.stack, jsii.String("Key"), &awskms.CfnKeyProps{
			Description:       jsii.String("Sym Flows: encrypts what " + d.options.name + " keeps"),
			EnableKeyRotation: jsii.Bool(true),
			KeyPolicy: document(append([]any{map[string]any{ // else nobody could ever change it
				"Sid": "Account", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
				"Principal": map[string]any{"AWS": "arn:" + *awscdk.Aws_PARTITION() + ":iam::" + *awscdk.Aws_ACCOUNT_ID() + ":root"},
			}}, d.keyPolicy()...)...),
		})
		// What it has encrypted is retained, too.
		key.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
		d.kept = append(d.kept, "Key")
		awskms.NewCfnAlias(d.stack, jsii.String("KeyAlias"), &awskms.CfnAliasProps{
			AliasName: jsii.String("alias/" + d.options.name), TargetKeyId: key.Ref(),
		})
		d.key = key.AttrArn()
	default:
		d.key = jsii.String(d.options.kmsKey)
	}
	d.output("KeyArn", *d.key, "Key that table, buckets, queues, topic, logs and secrets are encrypted by")
}

// via gives the condition that a key is used by a service only, in this region.
func via(services ...string) map[string]any {
	hosts := []any{}
	for _, s := range services {
		hosts = append(hosts, s+"."+*awscdk.Aws_REGION()+".amazonaws.com")
	}
	return map[string]any{"StringEquals": map[string]any{"kms:ViaService": hosts}}
}

// keyPolicy are the statements that a key needs so that this deployment works: those
// of a key of ours, and those to be added to a given one. Roles, topic, bucket and
// logs are named by patterns of their names, for they in turn name the key. Queues
// need no statement: what sends to them does so in a role; nor does Firehose, which is
// given a grant.
func (d *deployment) keyPolicy() []any {
	account := map[string]any{"AWS": "arn:" + *awscdk.Aws_PARTITION() + ":iam::" + *awscdk.Aws_ACCOUNT_ID() + ":root"}
	service := func(name string) map[string]any { return map[string]any{"Service": name} }
	statement := func(sid string, principal map[string]any, actions []string, condition map[string]any) any {
		return map[string]any{"Sid": strings.ReplaceAll(d.options.name, "-", "") + sid, "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*", "Condition": condition}
	}
	roles := via(keyServices...)
	roles["ArnLike"] = map[string]any{"aws:PrincipalArn": d.rolePatterns()}
	return []any{
		statement("Roles", account, tableActions, roles),
		// CloudFormation, which makes what is encrypted: DynamoDB and Firehose are given
		// grants by it.
		statement("Deploy", account, append(slices.Clone(tableActions), "kms:CreateGrant"), map[string]any{
			"ArnLike": map[string]any{"aws:PrincipalArn": "arn:" + *awscdk.Aws_PARTITION() + ":iam::" + *awscdk.Aws_ACCOUNT_ID() + ":role/cdk-*-cfn-exec-role-" + *awscdk.Aws_ACCOUNT_ID() + "-" + *awscdk.Aws_REGION()},
		}),
		// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
		statement("Logs", service("logs."+*awscdk.Aws_REGION()+".amazonaws.com"),
			[]string{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"},
			map[string]any{"ArnLike": map[string]any{"kms:EncryptionContext:aws:logs:arn": d.arn("logs", "log-group:/aws/*/"+d.options.name+"-*")}}),
		// The account is not said by CloudWatch; the topic is by SNS.
		// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
		statement("Alarms", service("cloudwatch.amazonaws.com"), []string{"kms:Decrypt", "kms:GenerateDataKey*"},
			map[string]any{"ArnLike": map[string]any{"kms:EncryptionContext:aws:sns:topicArn": d.arn("sns", d.options.name+"-AlarmTopic-*")}}),
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
		statement("AccessLogs", service("logging.s3.amazonaws.com"), []string{"kms:Decrypt", "kms:GenerateDataKey*"},
			map[string]any{"ArnLike": map[string]any{"kms:EncryptionContext:aws:s3:arn": "arn:" + *awscdk.Aws_PARTITION() + ":s3:::" + d.beginning() + "*"}}),
	}
}

// rolePatterns are patterns of the ARNs of all roles of the stack that may use the
// key. That of schedules has a name that CloudFormation has made, and shortened.
func (d *deployment) rolePatterns() []any {
	role := "arn:" + *awscdk.Aws_PARTITION() + ":iam::" + *awscdk.Aws_ACCOUNT_ID() + ":role/"
	return []any{role + d.rolePrefix() + "*", role + d.beginning() + "*-ScheduleRole-*"}
}

// beginning is what names begin with that CloudFormation makes of the stack's: it
// shortens them to what a service takes.
func (d *deployment) beginning() string { return d.options.name[:min(len(d.options.name), 20)] }

// What a key is used for by services that a role calls, by the beginning of the
// role's right.
var (
	// DynamoDB asks in the name of whoever reads or writes a table.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
	tableActions = []string{
		"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo",
	}
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html and
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
	writeActions = []string{"kms:Decrypt", "kms:GenerateDataKey"}
	readActions  = []string{"kms:Decrypt"}

	keyServices = []string{"dynamodb", "s3", "secretsmanager", "sqs"}
)

// keyRights are those to use the key that others of a role's rights need: by the
// service that the role calls, and by no other.
func (d *deployment) keyRights(rights []right) []right {
	if d.key == nil {
		return nil
	}
	needed := map[string][]string{} // by service
	need := func(service string, actions []string) {
		if len(actions) > len(needed[service]) { // each list has all of the shorter ones
			needed[service] = actions
		}
	}
	for _, r := range rights {
		for _, action := range r.actions {
			switch service, does, _ := strings.Cut(action, ":"); {
			case service == "dynamodb":
				need(service, tableActions)
			case service == "s3" && does == "PutObject", service == "sqs" && does == "SendMessage":
				need(service, writeActions)
			case service == "s3" && does == "GetObject" && d.keeps(r.resources), service == "sqs" && does == "ReceiveMessage", service == "secretsmanager":
				need(service, readActions)
			}
		}
	}
	var out []right
	for _, actions := range [][]string{tableActions, writeActions, readActions} {
		var by []string
		for _, service := range keyServices {
			if slices.Equal(needed[service], actions) {
				by = append(by, service)
			}
		}
		if by != nil {
			out = append(out, right{actions: actions, resources: []string{*d.key}, condition: via(by...)})
		}
	}
	return out
}

// keeps says whether objects are in a bucket of this stack, which the key encrypts.
// What is uploaded for a deploy is in the CDK's.
func (d *deployment) keeps(objects []string) bool {
	return slices.ContainsFunc(objects, func(o string) bool { return !strings.HasPrefix(o, d.uploads()) })
}

// secretKeyRights are those to use the keys that the customer's secrets may be under:
// by Secrets Manager only, and for these secrets only.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
func (d *deployment) secretKeyRights(secrets []string) []right {
	keys := d.options.keys()
	if d.key != nil && !slices.Contains(keys, *d.key) {
		keys = append(keys, *d.key)
	}
	if len(keys) == 0 || len(secrets) == 0 {
		return nil
	}
	hosts := []any{}
	for _, arn := range secrets {
		host := "secretsmanager." + strings.Split(arn, ":")[3] + ".amazonaws.com"
		if !slices.Contains(hosts, any(host)) {
			hosts = append(hosts, host)
		}
	}
	return []right{{
		actions: readActions, resources: keys,
		condition: map[string]any{
			"StringEquals": map[string]any{"kms:ViaService": hosts},
			"StringLike":   map[string]any{"kms:EncryptionContext:SecretARN": secrets},
		},
	}}
}

// addKeyAlarm tells of a key that was disabled, or is to be deleted: it can't be used
// from then on, by nobody, and the topic of alarms, which it encrypts, is silent. So
// there is another topic, which AWS encrypts, and which says no more than that. It
// gets what the sweep's silence alarms, and at once what CloudTrail sees where the
// account has a trail.
func (d *deployment) addKeyAlarm() {
	if d.key == nil {
		return
	}
	d.keyTopic = d.topic("KeyAlarmTopic", nil)
	suppress(d.keyTopic, "AwsSolutions-SNS2", "It tells that the key is out of order, so it can't be encrypted by it; it names the key and who disabled it, and no secrets")
	rule := awsevents.NewCfnRule(d.stack, jsii.String("KeyRule"), &awsevents.CfnRuleProps{
		Description: jsii.String("Sym Flows: tells who disabled the key, or has it deleted"),
		EventPattern: map[string]any{
			"source": []string{"aws.kms"}, "detail-type": []string{"AWS API Call via CloudTrail"},
			"detail": map[string]any{
				"eventSource": []string{"kms.amazonaws.com"}, "eventName": []string{"DisableKey", "ScheduleKeyDeletion"},
				"resources": map[string]any{"ARN": []string{*d.key}},
			},
		},
		Targets: []any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String("topic"), Arn: d.keyTopic.Ref(),
			InputTransformer: &awsevents.CfnRule_InputTransformerProperty{
				InputPathsMap: map[string]*string{"who": jsii.String("$.detail.userIdentity.arn"), "what": jsii.String("$.detail.eventName")},
				InputTemplate: jsii.String(fmt.Sprintf(`"Sym Flows %s: <what> by <who> on the key %s. Without it nothing works, and no access ends. Enable it (aws kms enable-key), or cancel its deletion first (aws kms cancel-key-deletion)."`, d.options.name, *d.key)),
			},
		}},
	})
	d.topicPolicy("KeyAlarmTopicPolicy", d.keyTopic, map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"},
		"Action": "sns:Publish", "Resource": *d.keyTopic.Ref(),
		"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": *rule.AttrArn()}},
	})
	d.output("KeyAlarmTopicArn", *d.keyTopic.Ref(), "Topic that tells of a disabled key: subscribe to it what is subscribed to alarms")
}

// topic makes a topic that mails to whom the option alarmEmail names.
func (d *deployment) topic(id string, key *string) awssns.CfnTopic {
	made := awssns.NewCfnTopic(d.stack, jsii.String(id), &awssns.CfnTopicProps{DisplayName: jsii.String("Sym Flows"), KmsMasterKeyId: key})
	if d.options.alarmEmail != "" {
		awssns.NewCfnSubscription(d.stack, jsii.String(strings.TrimSuffix(id, "Topic")+"Email"), &awssns.CfnSubscriptionProps{
			TopicArn: made.Ref(), Protocol: jsii.String("email"), Endpoint: jsii.String(d.options.alarmEmail),
		})
	}
	return made
}

// topicPolicy lets CloudWatch tell a topic of alarms, and what else says, all by TLS.
func (d *deployment) topicPolicy(id string, topic awssns.CfnTopic, others ...any) {
	awssns.NewCfnTopicPolicy(d.stack, jsii.String(id), &awssns.CfnTopicPolicyProps{
		Topics: &[]*string{topic.Ref()},
		PolicyDocument: document(append([]any{
			map[string]any{
				"Effect": "Allow", "Principal": map[string]any{"Service": "cloudwatch.amazonaws.com"},
				"Action": "sns:Publish", "Resource": *topic.Ref(),
				"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": *awscdk.Aws_ACCOUNT_ID()}},
			},
			map[string]any{
				"Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": *topic.Ref(),
				"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
			},
		}, others...)...),
	})
}
