// Package identitycenter finds people and groups in the identity store of an
// instance of IAM Identity Center, for the strategies whose identities are its
// users.
//
//	directory.go  Directory: who somebody is, whether they are there, their groups
//	errors.go     Failure: what errors of Identity Center mean
package identitycenter
