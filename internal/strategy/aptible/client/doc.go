// Package client does the work of the strategy "aptible" by Aptible's API of users
// and roles, which is HAL+JSON: resources have links to what belongs to them, and
// those are followed.
//
//	client.go    Open; grants, removes, reads back
//	people.go    the organization, who is in it, and who people are
//	api.go       the calls of the API, links and lists
//
// What is not to be read from Aptible's documentation is as its own clients have it
// (https://github.com/aptible/aptible-auth-ruby, https://github.com/aptible/app-ui).
package client
