// Package redrive hands batches of the table's stream that Lambda gave up on to
// their functions once more. Lambda keeps each in the dead-letter bucket, as an
// object with what happened and the whole batch
// (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html).
//
// It is safe at any time, and more than once: the functions read the items as they
// are now, and do nothing twice.
package redrive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/symflows/symflows/internal/workflow"
)

// Bucket is a dead-letter bucket.
type Bucket struct {
	API       *s3.Client         // required
	Name      string             // required
	Functions workflow.Functions // required
}

// prefix is what the names of Lambda's objects begin with.
const prefix = "aws/lambda/"

// Outcome is what became of one object.
type Outcome struct {
	Key      string
	Function string // ARN
	Records  int
	Err      error // nil: it was handled, and the object is gone
}

// Run hands each batch to its function, oldest first in each shard, and deletes
// those that were handled whole. It tells the outcome of each; the error says
// that it could not go through the bucket.
func (b Bucket) Run(ctx context.Context, tell func(Outcome)) error {
	pages := s3.NewListObjectsV2Paginator(b.API, &s3.ListObjectsV2Input{Bucket: aws.String(b.Name), Prefix: aws.String(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list bucket %s: %w", b.Name, err)
		}
		for _, object := range page.Contents {
			o := Outcome{Key: aws.ToString(object.Key)}
			o.Err = b.one(ctx, &o)
			tell(o)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

// batch is an object of Lambda's.
type batch struct {
	RequestContext struct {
		FunctionARN string `json:"functionArn"`
	} `json:"requestContext"`
	// Payload is the event, as an object or as a text that holds it.
	Payload json.RawMessage `json:"payload"`
}

func (b Bucket) one(ctx context.Context, o *Outcome) error {
	out, err := b.API.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(b.Name), Key: aws.String(o.Key)})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		return err
	}
	var kept batch
	if err := json.Unmarshal(body, &kept); err != nil {
		return fmt.Errorf("it is not a record of Lambda's: %w", err)
	}
	event := kept.Payload
	var text string
	if json.Unmarshal(event, &text) == nil {
		event = json.RawMessage(text)
	}
	var changes events.DynamoDBEvent
	if err := json.Unmarshal(event, &changes); err != nil || len(changes.Records) == 0 || kept.RequestContext.FunctionARN == "" {
		return errors.New("it holds no batch of a stream")
	}
	o.Function, o.Records = kept.RequestContext.FunctionARN, len(changes.Records)
	answer, err := b.Functions.Invoke(ctx, o.Function, event)
	if err != nil {
		return err
	}
	var again events.DynamoDBEventResponse
	if err := json.Unmarshal(answer, &again); err != nil {
		return fmt.Errorf("its function answered %.100q", answer)
	}
	if n := len(again.BatchItemFailures); n > 0 {
		return fmt.Errorf("%d of its %d records could not be handled: the function's log says why", n, o.Records)
	}
	_, err = b.API.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(b.Name), Key: aws.String(o.Key)})
	return err
}
