// Package slackapp is everything that people see of the product in Slack: the
// command, the forms, the messages and their buttons.
//
// Slack comes in by two ways, which lead to the same four handlers:
//
//	HTTP (app.go, verify.go)  ┐   command      /sym …                 commands.go
//	Socket Mode (socket.go)   ┴─► interaction  forms, buttons         interactions.go, modal.go
//	                              options      pickers being typed in options.go
//	                              event        what happens in Slack  events.go
//
// A form that customers' handlers have a say in shows Loading until they have
// answered (window, in commands.go). Their answer is kept under the run's id
// (store.Forms), never in the view. filter.go asks them which flows to list.
// handon.go has what takes longer than Slack waits done beside the answer. changes.go
// has approvers give something else than is asked for, again.go fills in the form of
// what was asked for before.
// search.go compares what people type with names, without accents and case.
//
// Runs go out by three files: render.go writes a run as a card and replies.go what is
// told in its thread, as pure functions, targets.go how each stands where one asks for several targets, and
// messenger.go posts and edits it. own.go lists a person's own access and ends it,
// home.go is the app's Home tab (home_view.go, home_admin.go, home_clicks.go; explain.go says what would come of a request), show.go tells what happened in a run, whole.go all of
// a run where some had to be cut, and meant.go finds what somebody means by a
// name. buttons.go says how the buttons of runs look. page.go puts the texts of a
// message together so that it keeps within Slack's limits, which are in
// limits.go with the only ways to make a text. directory.go asks Slack who
// people are, and services.go does in Slack what handlers ask for while they
// run. end.go says what the end of access brings, review.go has emergencies reviewed, extend.go asks for more time before
// it, and remind.go reminds people to act. checkpoints.go posts those of the
// transparency log. confirm.go is the
// button of a notice, by which admins confirm an account. links.go is where links to
// runs lead, and what is shown of them where they are posted.
// payload.go reads what Slack sends, waiting.go waits where it
// asks to, and trouble.go says what its errors
// mean. hello.go answers those who speak to the
// app, and builder.go has the steps that people put into workflows. manifest.go describes the app to Slack, and doctor.go finds out what a
// workspace lacks of it. named.go calls the command what people type, if that is not /sym.
//
// The package decides nothing about runs: it asks package workflow, and tells
// people the outcome in their words. It knows no AWS, and stores nothing but
// what it has learned of people. The simulated Slack is package slacksim, which
// this package does not know.
package slackapp
