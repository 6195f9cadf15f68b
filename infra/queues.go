package main

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

// redrive says where messages go that were received in vain, and after how many
// times.
type redrive struct {
	to    awssqs.CfnQueue
	after int
}

// queue makes a queue that keeps messages for as long as queues can. hidden is
// how long a message that was received is not shown again.
func (d *deployment) queue(id string, hidden time.Duration, failed *redrive) awssqs.CfnQueue {
	const days = 14
	props := &awssqs.CfnQueueProps{
		MessageRetentionPeriod: jsii.Number(days * 24 * 60 * 60),
		SqsManagedSseEnabled:   jsii.Bool(true),
	}
	if d.key != nil {
		props.SqsManagedSseEnabled, props.KmsMasterKeyId = nil, d.key
		props.KmsDataKeyReusePeriodSeconds = jsii.Number(60 * 60) // each data key is a call that is paid for
	}
	if hidden > 0 {
		props.VisibilityTimeout = jsii.Number(hidden.Seconds())
	}
	if failed != nil {
		props.RedrivePolicy = map[string]any{"deadLetterTargetArn": *failed.to.AttrArn(), "maxReceiveCount": failed.after}
	}
	q := awssqs.NewCfnQueue(d.stack, jsii.String(id), props)
	awssqs.NewCfnQueuePolicy(d.stack, jsii.String(id+"Policy"), &awssqs.CfnQueuePolicyProps{
		Queues: &[]*string{q.Ref()},
		PolicyDocument: document(map[string]any{
			"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": *q.AttrArn(),
			"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
		}),
	})
	return q
}
