package main

import (
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/workflow"
)

// streamReader says how patient a reader of the stream is with a change that it
// can't handle. The changes behind it wait as long, in the same lane only (a shard
// has parallelization of them, and a run is always in the same one). So the
// patience ends, and the change is kept in a bucket.
type streamReader struct {
	function string
	batch    int
	retries  int
	age      time.Duration
	gathers  time.Duration // how long changes wait for others, before it is called for all of them
	kinds    []store.Kind  // whose changes it reads
	acts     []store.Kind  // of which it reads the changes that record administrative acts
}

// streamReaders are all that there can be: a stream serves two.
var streamReaders = []streamReader{
	// The sweep drives what relay gave up on, and audit records have their own queue.
	{function: "relay", batch: 100, retries: 20, age: time.Hour, kinds: []store.Kind{store.KindRun}, acts: store.ActKinds()},
	// Only notify shows messages: it waits until an outage of Slack is over. What is
	// overtaken within its window is not sent, and nobody is paid for the wait.
	{function: "notify", batch: 25, retries: 1000, age: 6 * time.Hour, gathers: workflow.Settle, kinds: []store.Kind{store.KindRun, store.KindNotice, store.KindHome}},
}

// parallelization is the most that Lambda allows: order matters within a run
// only, and Lambda keeps that.
const parallelization = 10

// filters let the writes pass that the reader is for, but not deletions.
func (r streamReader) filters() (filters []any) {
	pass := func(kinds []store.Kind, more string) {
		var prefixes []string
		for _, k := range kinds {
			prefixes = append(prefixes, `{"prefix":"`+string(k)+`"}`)
		}
		pattern := `{"eventName":["INSERT","MODIFY"],"dynamodb":{"Keys":{"key":{"S":[` + strings.Join(prefixes, ",") + `]}}` + more + `}}`
		filters = append(filters, &awslambda.CfnEventSourceMapping_FilterProperty{Pattern: jsii.String(pattern)})
	}
	pass(r.kinds, "")
	if len(r.acts) > 0 {
		pass(r.acts, `,"NewImage":{"`+dynamo.AttrActs+`":{"S":["`+dynamo.RecordsActs+`"]}}`)
	}
	return filters
}

// addStream makes relay and notify read the table's stream.
func (d *deployment) addStream() {
	for _, r := range streamReaders {
		awslambda.NewCfnEventSourceMapping(d.stack, jsii.String(title(r.function)+"Stream"), &awslambda.CfnEventSourceMappingProps{
			FunctionName:                   d.functions[r.function].Ref(),
			EventSourceArn:                 d.table.AttrStreamArn(),
			StartingPosition:               jsii.String("TRIM_HORIZON"), // nothing is missed, whenever it starts
			BatchSize:                      jsii.Number(r.batch),
			MaximumBatchingWindowInSeconds: jsii.Number(r.gathers.Seconds()),
			ParallelizationFactor:          jsii.Number(parallelization),
			BisectBatchOnFunctionError:     jsii.Bool(true),
			FunctionResponseTypes:          jsii.Strings("ReportBatchItemFailures"),
			MaximumRetryAttempts:           jsii.Number(r.retries),
			MaximumRecordAgeInSeconds:      jsii.Number(r.age.Seconds()),
			FilterCriteria: &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{
				Filters: r.filters(),
			},
			DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
				OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: d.deadLetterBucket.AttrArn()},
			},
		})
	}
}
