// Package client does the work of the strategy "gcp_iam".
//
//	client.go    Open; grants, removes, reads back
//	policy.go    a project's policy: what is ours in it, and the rest as it was
//	discover.go  the roles that are given on projects
//
// # What is ours
//
// A binding of ours is of one person, and has a condition: on time, with a title that
// is sym- and the id of the run which wrote it last, so that Google's audit log and
// console tell which request it was. Runs share it: it is known again by that form,
// not by the run, and whoever moves its end writes the condition anew. All else in a
// policy belongs to others and goes back as it came, byte for byte.
package client
