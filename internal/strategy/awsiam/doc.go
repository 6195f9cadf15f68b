// Package awsiam declares the strategy "aws_iam": it puts users of IAM into groups,
// and takes them out again. The package client does it.
package awsiam
