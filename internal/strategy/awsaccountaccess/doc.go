// Package awsaccountaccess declares the strategy "aws_account_access": roles of
// AWS accounts for users of IAM Identity Center, by AWS's account access manager.
// It needs no permission sets: the roles are there already. The package client
// does the work.
package awsaccountaccess
