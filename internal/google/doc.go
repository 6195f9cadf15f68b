// Package google signs in to Google for the strategies that act there, and calls
// its APIs.
//
//	google.go    APIs: a client of one of Google's APIs, for an integration
//	signin.go    how a token is got: by a request that AWS signs, by AWS's identity
//	             token, or by a service account's key
//	accounts.go  who people are: by their address, if the account is active
//	errors.go    what Google's answers mean
//
// Google's own library for the first two (golang.org/x/oauth2/google/externalaccount,
// 0.5 MB) is not used: what it is refused comes back as a text without a status, with
// all that was answered in it, so that a refusal could not be told from a fault that
// passes; and it signs and remembers by the machine's clock.
package google
