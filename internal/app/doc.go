// Package app is the command local: the whole product in one process, and the
// short commands beside it. It puts the parts together by hand, and decides
// nothing.
//
//	command.go       the commands and their flags; welcome.go: what is printed
//	                 at the start; stored.go: what is broken of what the
//	                 configuration API has stored
//	local.go         the parts put together, served, and ended
//	configured.go    puts the configuration in force, or leaves the last one in
//	                 force while access that needs it is live
//	assemble.go      puts in force what the configuration API stores; config.go:
//	                 writes that as files, and hands it over; proposals.go: asks
//	                 for approval of it first, where that is needed
//	clock.go         business time, which a simulation can move ahead
//	disk.go          what happens when the disk is full
//	auditlog.go      the transparency log over the audit records; prune.go
//	                 removes what need not be kept of it, verify.go:
//	                 checks one
//	place.go         which deployment a command beside it works on
//	destinations.go  sends the log's records to log destinations, and lists those
//	slack.go         the way to a workspace; simulation.go: the simulated one,
//	                 and what its page shows beside it; guide.go: who is in it,
//	                 and what newcomers are told; refused.go: what happens when
//	                 Slack refuses us
//	functions.go     customers' functions on this machine; handlers.go: their
//	                 Python
//	token.go         manages API tokens here; token_remote.go: those of a
//	                 deployment in AWS
//	people.go        says who people are, and confirms accounts, in both
//	targets.go       writes down the targets that strategies find
//	try.go           asks the handlers of a flow what they would do
//	explain.go       says what would come of a request, and of a run; explained.go:
//	                 the same for the simulation's page; policy.go: runs the
//	                 cases of policy files; diff.go: what a change of flows
//	                 lets happen
//	manifest.go      prints the manifest of the Slack app; doctor.go: what the
//	                 real workspace lacks
//	standing.go      confirms ends of access that were held back
//	runs.go          lists runs, here or of a deployment; what asks by the API is
//	                 package terminal's
//	report.go        prints the report of a month, and keeps that of each
//	erase.go         has people taken out of what is closed
//	acts.go          tells what administrators did, for the page
//	drift.go         shows where targets differ from what was granted
//	redrive.go       repeats what functions in AWS gave up on; recover.go: puts
//	                 grants back that the table lacks
//	unmapped.go      says what local.yaml lacks of what the configuration names
//	state.go         opens the state of this machine, for commands beside a server
//
// Parts that deployments in AWS have too are built by package core. Functions in
// AWS have a main package each, in functions/, and the stack is in infra/.
//
// The tests of this package run the whole product: scripts in testdata, a crash
// at every write, and many people who decide at once.
package app
