// Package client does the work of the strategy "aws_eks" by AWS's API of EKS.
//
//	client.go  Open; grants, removes, reads back
//	entry.go   the access entry that a policy needs: made, and deleted again
//	lists.go   who has a target, and which targets there are
//	errors.go  what EKS's errors mean
package client
