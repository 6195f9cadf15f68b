// Package events has the types of what Sym Flows sends and receives: audit
// records, what strategies' Lambda functions are called with and answer, and
// the bodies of the Events API. Names on the wire are Sym's.
//
// The package uses the standard library only and has no behaviour beyond
// reading and writing JSON, and signing what is sent over HTTP.
package events
