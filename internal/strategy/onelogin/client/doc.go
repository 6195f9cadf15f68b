// Package client does the work of the strategy "onelogin" by version 2 of
// OneLogin's API.
//
//	client.go    Open; grants, removes, reads back
//	identity.go  who people are, by their e-mail address
//	api.go       the calls of the API, and what its answers mean
package client
