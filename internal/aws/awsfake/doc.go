// Package awsfake stands for AWS in tests of strategies: one server that keeps
// what accounts have, speaks the protocol of each service, and fails as AWS is
// documented to. It knows callers by the keys that they sign with, so that a test
// sees in which account, and as whose role, something was done.
//
//	awsfake.go    Fake: routes calls, in the mood that a test sets
//	signature.go  who signed a call
//	protocol.go   the protocols: awsQuery, awsJson1_1, restJson1
//	ledger.go     state, and what it was a while ago
//	sts.go, …     a service each; identitycenter.go has the state of three
//	…_subject.go  a strategy each, opened on an account of its own, as a subject
//	              of strategytest
//	rights.go     a guard that holds callers to what strategies declare
//
// # How to add a service
//
// A file with a type that embeds a ledger of its state, a method for each
// operation, and a table of them, with a line in New. The request and response
// snapshots of the SDK's module hold it to the wire: see [wire_test.go].
package awsfake
