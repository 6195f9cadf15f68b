// Package s3client makes clients of S3.
package s3client

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// New makes a client of S3. An emulator (a BaseEndpoint) is asked by its own name,
// since bucket names as part of its host's are not resolved. Objects without a
// checksum, as Firehose writes them, are read without a word about it in the log.
func New(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil
		o.DisableLogOutputChecksumValidationSkipped = true
	})
}
