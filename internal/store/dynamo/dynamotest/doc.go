// Package dynamotest is DynamoDB for tests: a server on loopback for the SDK,
// with the table that store/dynamo describes.
//
// It stands before github.com/truora/minidyn, which evaluates conditions and
// queries, and adds what that lacks: one request at a time; the stored item in
// the answer to a failed condition; indexes that forget what was overwritten;
// limits of sizes; a stream ([Server.Subscribe]); what requests would cost
// ([Server.Meter]); and faults ([Server.Fail]).
//
// It takes only requests that store/dynamo makes, and refuses all others, such
// as UpdateItem and Scan. Listings are up to date at once.
package dynamotest
