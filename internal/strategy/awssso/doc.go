// Package awssso declares the strategy "aws_sso": permission sets on accounts of
// AWS, and groups of the identity store, for users of IAM Identity Center (once
// AWS SSO). The package client does the work.
package awssso
