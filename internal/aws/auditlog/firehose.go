// Package auditlog sends records to Amazon Data Firehose, which collects
// them into files in S3: one line of JSON for each record. Its counterpart on
// this machine is audit.Files.
package auditlog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

// Firehose writes records of one kind to one stream.
type Firehose[Record any] struct {
	API    *firehose.Client // required
	Stream string           // required: its name
	Clock  workflow.Clock   // required: for the pauses between tries
}

var (
	_ workflow.AuditLog = Firehose[events.AuditRecord]{}
	_ workflow.AdminLog = Firehose[events.AdminRecord]{}

	_ transparency.Lines = Firehose[events.AuditRecord]{}
)

// Limits of PutRecordBatch, which can't be raised
// (https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html).
const (
	maxRecords     = 500
	maxRecordBytes = 1000 << 10
	begins         = 60 // of a record: its id
	// A call may have 4 MiB. It travels as base64, which adds a third, and has
	// a few bytes more for each record: with these both readings are kept.
	maxCallBytes = 3_000_000
)

// Records that Firehose did not take are sent again until there have been
// maxTries, with a pause that doubles from the first.
const (
	maxTries   = 6
	firstPause = 100 * time.Millisecond
)

// Write sends the records. Even in a call that succeeds, Firehose may refuse
// some of them: those are sent again, and no others. The error has
// flow.CodeUnavailable and says how many were never taken; or it has
// flow.CodeTooLarge and says which record is too large, and then none was sent.
func (l Firehose[Record]) Write(ctx context.Context, records []Record) error {
	var lines [][]byte
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode a record: %w", err)
		}
		lines = append(lines, line)
	}
	return l.WriteLines(ctx, lines)
}

// WriteLines implements [transparency.Lines]. It sends lines as Write does records.
func (l Firehose[Record]) WriteLines(ctx context.Context, lines [][]byte) error {
	calls, err := batches(lines)
	if err != nil {
		return err
	}
	for _, call := range calls {
		if err := l.send(ctx, call); err != nil {
			return err
		}
	}
	return nil
}

// batches divides the lines into calls.
func batches(lines [][]byte) (calls [][]types.Record, err error) {
	size := 0
	for _, line := range lines {
		line = append(slices.Clip(line), '\n')
		if len(line) > maxRecordBytes {
			return nil, flow.Errorf(flow.CodeTooLarge, "a record has %d bytes, and Firehose takes %d: %s…", len(line), maxRecordBytes, line[:begins])
		}
		last := len(calls) - 1
		if last < 0 || len(calls[last]) == maxRecords || size+len(line) > maxCallBytes {
			calls, size = append(calls, nil), 0
			last++
		}
		calls[last] = append(calls[last], types.Record{Data: line})
		size += len(line)
	}
	return calls, nil
}

// send makes one call, and others for what it leaves.
func (l Firehose[Record]) send(ctx context.Context, records []types.Record) error {
	pause := firstPause
	for try := 1; ; try++ {
		out, err := l.API.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String(l.Stream), Records: records})
		if err != nil {
			return &flow.Error{Code: flow.CodeUnavailable, Message: fmt.Sprintf("%d audit records could not be sent to Firehose stream %s", len(records), l.Stream), Cause: err}
		}
		left, reason := notTaken(records, out)
		if len(left) == 0 {
			return nil
		}
		if try == maxTries {
			return flow.Errorf(flow.CodeUnavailable, "Firehose stream %s did not take %d audit records in %d tries: %s", l.Stream, len(left), try, reason)
		}
		select {
		case <-l.Clock.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		records, pause = left, 2*pause
	}
}

// notTaken gives the records that have to be sent again, and why Firehose did
// not take the last of them. Answers are in the order of the records; the answer
// to a record that was taken has an id.
func notTaken(records []types.Record, out *firehose.PutRecordBatchOutput) (left []types.Record, reason string) {
	if aws.ToInt32(out.FailedPutCount) == 0 {
		return nil, ""
	}
	for i, r := range records {
		if i < len(out.RequestResponses) {
			answer := out.RequestResponses[i]
			if answer.RecordId != nil {
				continue
			}
			reason = aws.ToString(answer.ErrorCode)
		}
		left = append(left, r)
	}
	return left, reason
}
