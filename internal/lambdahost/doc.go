// Package lambdahost runs Lambda functions on this machine, as processes that
// speak the Lambda Runtime API (version 2018-06-01,
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html): Go functions
// and other custom runtimes as they are, Python handlers by a small bootstrap
// of ours. Which function is which process is said in local.yaml, see [Load].
//
//	Invoke ──▶ function ──▶ worker ◀──▶ process
//	           (by ARN)     (up to 4)   GET next, POST response | error
//
// A worker is one process with a Runtime API of its own on a loopback port, and
// below a path that it alone is told: AWS_LAMBDA_RUNTIME_API is
// "127.0.0.1:port/secret". Clients that put more behind it keep the path, as
// those of aws-lambda-go and of our bootstrap do; one that takes the host alone
// is refused (403). Connections of other users are closed unread. It
// is started by the first invocation that finds no idle one, has one
// invocation at a time, lives on for the next, and is replaced when it exits.
//
// # What a function can reach
//
// It is a stranger's code. Its environment is built from nothing: PATH, HOME
// and TMPDIR (a directory of its own), LANG, TZ, what Lambda sets for every
// runtime, and its own part of local.yaml. Tokens of ours are never in it. An
// invocation that takes too long, or whose caller gave up, ends with all that
// it has started. Answers are limited to 6 MB like Lambda's. The limits of
// memory and of processes hold on Linux only; there a function also sees no
// processes but its own, where the kernel lets us (package confine): the log
// says at the first start if it does not. Files and the network are those of
// the user who runs us: this is for trying out one's own functions, not a
// sandbox against malice.
//
// # No process outlives us
//
// Close ends all: SIGTERM, then SIGKILL. Should we be killed ourselves, Linux
// ends the workers and what they have started, sessions of their own or not.
// Elsewhere the Runtime API is gone with us: a process that waits for its next
// invocation loses its connection and ends, one that is at work ends when it
// can't deliver its answer.
//
// The package needs a Unix.
package lambdahost
