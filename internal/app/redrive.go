package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"

	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/aws/redrive"
	"github.com/symflows/symflows/internal/aws/s3client"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
)

// deniedByAWS tells whether AWS did not let this shell's credentials do something.
func deniedByAWS(err error) bool {
	denied, ok := errors.AsType[smithy.APIError](err)
	return ok && strings.HasPrefix(denied.ErrorCode(), "AccessDenied")
}

// redriven hands what the functions of a deployment gave up on to them again. That it
// begins, and what came of it, is an administrative record.
func redriven(ctx context.Context, args []string, out io.Writer) error {
	set := flags("local redrive", out)
	bucket := set.String("bucket", "", "dead-letter bucket of the deployment (default: output DeadLetterBucketName in -outputs)")
	table := set.String("table", "", "table of the deployment, which keeps the record of it (default: output TableName in -outputs)")
	outputs := set.String("outputs", "cdk.out/outputs.json", "what make deploy has written")
	if err := parse(set, args); err != nil {
		return err
	}
	for name, given := range map[string]*string{"DeadLetterBucketName": bucket, "TableName": table} {
		if *given != "" {
			continue
		}
		var err error
		if *given, err = output(*outputs, name); err != nil {
			return fmt.Errorf("%w; or give -bucket and -table", err)
		}
	}
	cfg, by, err := caller(ctx)
	if err != nil {
		return err
	}
	acts := store.Acts{Store: dynamo.New(cfg, *table, time.Now), Now: time.Now}
	act := flow.NewAct(flow.Author{By: by, At: time.Now()}, flow.ActRedrive, flow.Subject{Kind: "bucket", Name: *bucket}, map[string]any{})
	act.Result = flow.ActBegun
	if err := acts.Put(ctx, act); err != nil {
		return fmt.Errorf("record that it begins: %w", err)
	}
	handled, left := 0, 0
	err = redrive.Bucket{
		API: s3client.New(cfg), Name: *bucket, Functions: invoke.Functions{API: lambda.NewFromConfig(cfg)},
	}.Run(ctx, func(o redrive.Outcome) {
		if o.Err != nil {
			left++
			fmt.Fprintf(out, "%s: stays: %v\n", o.Key, o.Err)
			return
		}
		handled++
		fmt.Fprintf(out, "%s: %d records handled\n", o.Key, o.Records)
	})
	act.Fields["handled"], act.Fields["left"], act.Result = handled, left, flow.ActDone
	switch {
	case deniedByAWS(err) && handled+left == 0:
		act.Result = flow.ActRefused
	case err != nil || left > 0:
		act.Result = flow.ActFailed
	}
	if recorded := acts.Put(context.WithoutCancel(ctx), act); recorded != nil {
		err = errors.Join(err, fmt.Errorf("record what came of it: %w", recorded))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d batches handled, %d left\n", handled, left)
	if left > 0 {
		return fmt.Errorf("%d batches could not be handled", left)
	}
	return nil
}
