// Package client does the work of the strategy "aws_iam" by AWS's API of IAM.
//
//	client.go    Open; grants, removes, reads back
//	identity.go  who people are: by name, or by a tag
//	errors.go    what IAM's errors mean
package client
