// Package client makes users members of groups of Microsoft Entra ID, by Microsoft
// Graph, for the strategy "entra_group".
//
//	client.go  Open; which kind of target does what, and what both have in common
//	signin.go  two ways to sign in
//	member.go  members of a group, for good
//	pim.go     assignments by Privileged Identity Management, with an end
//	people.go  who somebody is
//	graph.go   what errors and lists of Microsoft Graph mean
package client
