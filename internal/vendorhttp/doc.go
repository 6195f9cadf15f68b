// Package vendorhttp calls the HTTP APIs of vendors for the strategies over them.
//
//	client.go  Client: one vendor's API. Send and Do make a call
//	pages.go   Pages: lists that go on under a Link header
//	tokens.go  Tokens: tokens of sign-ins, kept no longer than they live; Secret: one
//	           that a secret is
//	limits.go  what vendors say of how long to wait, as durations
//	errors.go  Error: what a vendor answered, as errors of package flow
//
// All time limits are the context's. Redirects are refused, answers bounded; what may be
// connected to, and by which proxy, is as the http.Client has it (package egress). A call
// that changes nothing is made once more if its connection broke; everything else is for
// the workflow to try again, which has its own back-off. No error shows a token, a query
// or what a request hides.
package vendorhttp
