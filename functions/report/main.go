// Command report makes the report of each month: on the first of the next one it reads the
// runs, writes a page and its figures beside the audit records, and has the error channels
// told where they are. It changes nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/logbucket"
	"github.com/symflows/symflows/internal/report"
)

// input is the schedule's event, or what an administrator sends.
type input struct {
	Source string `json:"source"`
	// Time is when the schedule called, by its own clock: a month that is over by it is over.
	Time time.Time `json:"time"`
	// Month is a month to be reported again, in place of what was, such as 2026-11.
	Month string `json:"month"`
}

// output says where the page is.
type output struct {
	Page string `json:"page,omitempty"`
}

// most is of how many runs a report is made: what is told of them takes about 400 MB of this
// function's memory while it is made.
const most = 200_000

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (func(context.Context, input) (output, error), error) {
	settings := d.Settings.AWS
	files := logbucket.Reports{Bucket: logbucket.Bucket{
		API:  s3.NewFromConfig(d.AWS, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil }), // an emulator's name is no part of buckets' hosts
		Name: settings.AuditBucket, Prefix: "reports/",
	}}
	return func(ctx context.Context, in input) (output, error) {
		reports := d.Reports(report.InAWS("cdk.out/outputs.json", settings.AuditBucket, settings.LogBucket), files)
		reports.Most = most
		switch {
		case in.Month != "":
			month, err := report.Month(in.Month)
			if err != nil {
				return output{}, err
			}
			page, err := reports.Keep(ctx, month)
			if err == nil && page == "" {
				err = fmt.Errorf("nothing happened in %s: there is nothing to report", in.Month)
			}
			return output{page}, err
		case in.Source != "aws.events" || in.Time.IsZero():
			return output{}, errors.New(`this is neither the schedule's event nor {"month": "2026-11"}`)
		}
		reports.Now = func() time.Time {
			if now := d.Clock.Now(); now.After(in.Time) {
				return now
			}
			return in.Time
		}
		return output{}, reports.Monthly(ctx)
	}, nil
}
