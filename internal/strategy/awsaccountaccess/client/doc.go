// Package client grants and removes for the strategy "aws_account_access".
//
//	client.go    Open; grants, removes, reads back
//	discover.go  which roles somebody has, and who has one
//	api.go       the account access manager's API
package client
