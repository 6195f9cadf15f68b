// Package client does the work of the strategy "postgres".
//
//	client.go      Open; grants, removes, reads back
//	statements.go  all that is said to the server, and what it answers
//	identity.go    who people are
//	discover.go    which roles there are
//	connection.go  the way by a connection: what may stand in a DSN, and TLS
//	dataapi.go     the way by the RDS Data API
//	errors.go      what PostgreSQL's errors mean
//
// Of jackc/pgx it links pgconn alone, which is a quarter of the whole: statements
// answer with one text each, so that nothing else of it is of use. That text is
// the same by both ways.
package client
