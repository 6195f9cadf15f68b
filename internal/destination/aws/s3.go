package awsdestination

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/symflows/symflows/internal/aws/s3client"
	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Limits of a file.
const (
	fileRecords = 1000
	fileBytes   = 16 << 20 // before it is compressed
)

// byHour is the folder of a file: that of our own records, by the time of its first one.
const byHour = "year=2006/month=01/day=02/hour=15/"

// S3 opens a bucket. A call makes one file, whose lines are records; its name says from
// which index of the log to which, so that what is sent again is the same file, or one
// whose records are known by their ids.
func (d Deps) S3(to flow.LogDestination) (workflow.Destination, error) {
	cfg, err := d.config(to)
	return &bucket{s3client.New(cfg), to.Settings[destination.SettingBucket], to.Settings[destination.SettingPrefix]}, err
}

type bucket struct {
	api          *s3.Client
	name, prefix string
}

// Limits implements [workflow.Destination].
func (*bucket) Limits() workflow.DestinationLimits {
	return workflow.DestinationLimits{Records: fileRecords, Bytes: fileBytes, Overhead: 1, Lanes: 1}
}

// Send implements [workflow.Destination].
func (b *bucket) Send(ctx context.Context, records []workflow.Outgoing) error {
	var file bytes.Buffer
	z := gzip.NewWriter(&file)
	var err error
	for _, r := range records {
		_, failed := z.Write(append(append([]byte{}, r.Body...), '\n'))
		err = errors.Join(err, failed)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	first, last := records[0], records[len(records)-1]
	key := fmt.Sprintf("%s%s%012d-%012d.jsonl.gz", b.prefix, first.At.UTC().Format(byHour), first.Index, last.Index)
	_, err = b.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.name, Key: &key, Body: bytes.NewReader(file.Bytes()), ContentType: aws.String("application/gzip"),
	})
	if err != nil {
		return failure(err, named("bucket", b.name))
	}
	return nil
}
