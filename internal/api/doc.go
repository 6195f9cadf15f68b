// Package api is the Events API: the way in for programs. Its paths and bodies
// are Sym's (package events has the types), so that Sym's clients work as they
// are; listings of runs and flows are ours. openapi.json describes it, and a
// test holds both to each other.
//
// A request is taken whole or refused: fields, parameters and keys that are
// unknown, of the wrong type, empty or given twice are errors, because ignoring
// a misspelt "user_email" would ask for the wrong person. Nothing is written
// unless everything is right.
//
// Every token may use every path: a token stands for a bot, and the flow and
// its approvers decide what becomes of its requests.
//
// Beside it are the APIs that administer a deployment: of tokens (tokens.go) and of
// people (people.go), for callers whom AWS has authenticated, and of the configuration
// (config.go), which is that of Sym's Terraform provider, for tokens that may configure
// and those callers.
package api
