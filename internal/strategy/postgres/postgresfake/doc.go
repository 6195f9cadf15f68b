// Package postgresfake stands for a PostgreSQL server in tests: it keeps roles,
// memberships, databases and sessions, and understands the statements that the
// strategy sends, and no others. Its answers were held to servers of versions 15
// and 18 by hand.
//
//	server.go      Server: what it has, as its superuser sees and changes it
//	statements.go  what logins may do, by statements
//	wire.go        PostgreSQL's protocol, over TLS, as badly as a server can behave
//	scram.go       how it asks for passwords
//	subject.go     the strategy, opened on it, for package strategytest
//
// The RDS Data API before it is package awsfake's: [Server] is an awsfake.Database.
package postgresfake
