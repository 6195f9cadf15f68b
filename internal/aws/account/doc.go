// Package account lets strategies of AWS act in the account that their
// integration names ([strategy.AWSAccount]): as its role, at the pace that all
// functions keep together, with errors in the words of package flow.
//
//	account.go  Accounts: the SDK's configuration for one call
//	role.go     credentials of roles, assumed and kept
//	errors.go   Failure: what errors of the SDK mean
package account
