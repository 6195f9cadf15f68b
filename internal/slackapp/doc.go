// Package slackapp is everything that people see of the product in Slack: the
// command, the forms, the messages and their buttons.
//
// Slack comes in by two ways, which lead to the same three handlers:
//
//	HTTP (app.go, verify.go)  ┐   command      /sym …                 commands.go
//	Socket Mode (socket.go)   ┴─► interaction  forms, buttons         interactions.go, modal.go
//	                              options      pickers being typed in options.go
//
// Forms that customers' code has a say in show Loading until it was asked
// (window, in commands.go). What it made of them is kept by the run's id
// (store.Forms), never in the view; filter.go asks it which flows to list.
//
// and runs go out by two more: render.go writes a run as a message, as a pure
// function, and messenger.go posts and edits it. directory.go asks Slack who
// people are. limits.go has Slack's limits and the only ways to make texts,
// page.go puts them together so that a message keeps within the limits.
//
// The package decides nothing about runs: it asks package workflow, and says
// in people's words what came of it. It knows no storage and no AWS.
package slackapp
