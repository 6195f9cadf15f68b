// Package googlefake is Google, as far as strategies ask it: a server on loopback
// that keeps state, speaks the protocols, and is as bad as they are documented to be.
//
//	fake.go           the server: moods, tokens, what is refused of every call
//	signin.go         the Security Token Service, IAM credentials and OAuth
//	groups.go         the state of groups and accounts
//	cloudidentity.go  groups by the Cloud Identity API
//	directory.go      groups and accounts by the Admin SDK
//	projects.go       projects and their policies, by the Resource Manager API
//	shapes.go         Google's own descriptions of its methods
//	subject.go        strategies opened on it, for strategytest
package googlefake
