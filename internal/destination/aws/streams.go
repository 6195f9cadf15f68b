package awsdestination

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Limits of a call. That of Firehose takes 4 MiB and travels as base64
// (https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html); of
// Kinesis Data Streams the smallest bound that there ever was is kept
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html).
const (
	streamRecords = 500
	streamBytes   = 3_000_000
)

// streamLimits: both services may take a record and refuse one before it.
var streamLimits = workflow.DestinationLimits{Records: streamRecords, Bytes: streamBytes, Overhead: 100, Lanes: 1, Apart: true}

// Firehose opens a stream of Amazon Data Firehose. A record is a line.
func (d Deps) Firehose(to flow.LogDestination) (workflow.Destination, error) {
	cfg, err := d.config(to)
	return &delivery{firehose.NewFromConfig(cfg), to.Settings[destination.SettingStreamName]}, err
}

type delivery struct {
	api    *firehose.Client
	stream string
}

// Limits implements [workflow.Destination].
func (*delivery) Limits() workflow.DestinationLimits { return streamLimits }

// Send implements [workflow.Destination].
func (s *delivery) Send(ctx context.Context, records []workflow.Outgoing) error {
	what := named("stream of Firehose", s.stream)
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: &s.stream}
	for _, r := range records {
		in.Records = append(in.Records, firehosetypes.Record{Data: append(append([]byte{}, r.Body...), '\n')})
	}
	out, err := s.api.PutRecordBatch(ctx, in)
	if err != nil {
		return failure(err, what)
	}
	if len(out.RequestResponses) != len(records) {
		return short(what, len(out.RequestResponses), len(records))
	}
	failed := partly{}
	for i, answer := range out.RequestResponses {
		if answer.RecordId == nil {
			failed.add(i, what, aws.ToString(answer.ErrorCode))
		}
	}
	return failed.err()
}

// KinesisStream opens a stream of Kinesis Data Streams. Records are partitioned by run, so
// that those of one are read in order; the body is the data.
func (d Deps) KinesisStream(to flow.LogDestination) (workflow.Destination, error) {
	cfg, err := d.config(to)
	return &stream{kinesis.NewFromConfig(cfg), to.Settings[destination.SettingStreamName]}, err
}

type stream struct {
	api  *kinesis.Client
	name string
}

// Limits implements [workflow.Destination].
func (*stream) Limits() workflow.DestinationLimits { return streamLimits }

// Send implements [workflow.Destination].
func (s *stream) Send(ctx context.Context, records []workflow.Outgoing) error {
	what := named("stream of Kinesis", s.name)
	in := &kinesis.PutRecordsInput{StreamName: &s.name}
	for _, r := range records {
		in.Records = append(in.Records, kinesistypes.PutRecordsRequestEntry{Data: r.Body, PartitionKey: aws.String(r.Run)})
	}
	out, err := s.api.PutRecords(ctx, in)
	if err != nil {
		return failure(err, what)
	}
	if len(out.Records) != len(records) {
		return short(what, len(out.Records), len(records))
	}
	failed := partly{}
	for i, answer := range out.Records {
		if answer.SequenceNumber == nil {
			failed.add(i, what, aws.ToString(answer.ErrorCode))
		}
	}
	return failed.err()
}
