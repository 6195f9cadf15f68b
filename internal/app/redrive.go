package app

import (
	"context"
	"fmt"
	"io"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/aws/redrive"
)

// redriven hands what the functions of a deployment gave up on to them again.
func redriven(ctx context.Context, args []string, out io.Writer) error {
	set := flags("local redrive", out)
	bucket := set.String("bucket", "", "dead-letter bucket of the deployment (default: output DeadLetterBucketName in -outputs)")
	outputs := set.String("outputs", "cdk.out/outputs.json", "what make deploy has written")
	if err := parse(set, args); err != nil {
		return err
	}
	if *bucket == "" {
		var err error
		if *bucket, err = output(*outputs, "DeadLetterBucketName"); err != nil {
			return fmt.Errorf("%w; or give -bucket", err)
		}
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("find AWS credentials: %w", err)
	}
	handled, left := 0, 0
	// An emulator is asked by its own name: bucket names as part of its host's are
	// not resolved.
	emulated := func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil }
	err = redrive.Bucket{
		API: s3.NewFromConfig(cfg, emulated), Name: *bucket, Functions: invoke.Functions{API: lambda.NewFromConfig(cfg)},
	}.Run(ctx, func(o redrive.Outcome) {
		if o.Err != nil {
			left++
			fmt.Fprintf(out, "%s: stays: %v\n", o.Key, o.Err)
			return
		}
		handled++
		fmt.Fprintf(out, "%s: %d records handled\n", o.Key, o.Records)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d batches handled, %d left\n", handled, left)
	if left > 0 {
		return fmt.Errorf("%d batches could not be handled", left)
	}
	return nil
}
