// Package client changes groups of a tailnet's policy file, and attributes of
// devices, for the strategy "tailscale".
//
//	client.go   Open; which kind of target does what
//	signin.go   three ways to sign in
//	group.go    a group of the policy file: granting, removing, looking
//	policy.go   the policy file itself: read, tried, and swapped for a new one
//	posture.go  an attribute on all devices of a person
//	people.go   the users of the tailnet, and who somebody is
//	discover.go the targets that there are
//
// Tailscale's own Go client is not used. It signs in without the caller's context,
// puts whole answers into errors and loses what they say of waiting, so that all of
// it but a few types would have to be replaced.
package client
