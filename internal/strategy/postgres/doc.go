// Package postgres declares the strategy "postgres": membership of a database's
// users in its roles. A server is asked by the RDS Data API, which takes no way
// into its network, or by a connection.
package postgres
