// Package diff says in plain words what a change of flows lets happen that could not
// happen before, and what not any more.
//
//	diff.go        what changes between two configurations, and whether that is wider
//	attributes.go  what a change of each attribute of a flow means: the one table
//	people.go      how many people that are, where it is known who is in which group
//
// It compares values, and reads nothing. An attribute that a flow gets has to get its
// row in the table: a test names those that have none.
package diff
