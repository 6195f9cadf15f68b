// Package client does the work of the strategy "okta" by Okta's Management API.
//
//	client.go    Open; grants, removes, reads back
//	api.go       the calls that are made, and how they are signed in
//	identity.go  who people are
//
// A group has one membership for each person, whoever made it. Okta says which group
// rules manage it: whom a rule has put there is not ours, and taking them out would
// have Okta exclude them from the rule for good. So they stay, and people are told.
package client
