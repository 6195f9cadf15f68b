package logbucket

import (
	"context"
	"errors"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/symflows/symflows/internal/workflow"
)

// Reports keeps the reports of months in a bucket, beside the records.
type Reports struct{ Bucket }

var _ workflow.ReportFiles = Reports{}

// Has implements [workflow.ReportFiles].
func (r Reports) Has(ctx context.Context, name string) (bool, error) {
	_, _, err := r.get(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Put implements [workflow.ReportFiles].
func (r Reports) Put(ctx context.Context, name, contentType string, content []byte) (string, error) {
	err := r.put(ctx, name, content, func(in *s3.PutObjectInput) { in.ContentType = &contentType })
	if err != nil {
		return "", r.fault("written", name, err)
	}
	return r.Prefix + name + " in the bucket " + r.Name, nil // no address, which would be made harmless in Slack
}
