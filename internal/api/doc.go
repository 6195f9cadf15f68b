// Package api is the Events API: the way in for programs. Its paths and bodies
// are Sym's (package events has the types), so that Sym's clients work as they
// are; listings of runs and flows are ours. openapi.json describes it, and a
// test holds both to each other.
//
// What a request says is taken at its word, and whole: fields, parameters and
// keys that are unknown, ill-typed, empty or given twice are refused, because
// a misspelt "user_email" that is passed over in silence would ask for the
// wrong person. Nothing is written unless everything is right.
//
// Every token may use every path: a token stands for a bot, and what its
// requests may become is up to the flow and its approvers.
package api
