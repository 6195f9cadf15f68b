// Package client does the work of the strategy "boundary" by the API of Boundary's
// controller.
//
//	client.go    Open; grants, removes, reads back
//	sessions.go  what of a person goes on, and how it is cancelled
//	identity.go  who people are, by their e-mail address
//	api.go       the calls of the API, and what its answers mean
//
// A group has a version, which every write names and raises. Whatever keeps a write
// from being done (another version, a member who is there already, one who is not
// there, a user who does not exist) Boundary answers with status 500 alike; so a
// group is read before each write, and again after one that was refused
// (https://github.com/hashicorp/boundary, internal/daemon/controller/handlers/groups).
package client
