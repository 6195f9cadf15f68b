// Package client grants and removes for the strategy "http". The server is POSTed
// what a function of an aws_lambda strategy is invoked with and answers the same;
// strategy/contract.go has the rules.
//
// A request carries, beside the record:
//
//	Idempotency-Key   the record's id: the same for every repetition
//	X-Sym-Timestamp   Unix time in seconds, when signed
//	X-Sym-Signature   v1= and the hex HMAC-SHA256 of "<timestamp>.<body>", when
//	                  the strategy has a signing_secret_id
//
// events.VerifySignature checks the two latter on the server's side.
//
// URLs come from the configuration alone, whose authors could reach whatever
// we reach by other means too; a request's fields can't change them. Addresses
// of private networks are therefore allowed: that is where such servers live.
// Redirects are not followed, so that a server can't send a record, or its
// signature, on to somebody else.
package client
