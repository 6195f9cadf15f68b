// Package client does the work of the strategy "google_group".
//
//	client.go         Open; grants, removes, reads back, in the words of both APIs
//	cloudidentity.go  the groups by the Cloud Identity API, with ends of memberships
//	directory.go      the groups by the Directory API of the Admin SDK, without
//	discover.go       the groups that there are
package client
