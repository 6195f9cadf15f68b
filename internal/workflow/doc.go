// Package workflow has the use cases. Each is a type with the ports that it
// needs, and has the same shape: read the run, let flow.Apply decide, write the
// run by compare-and-swap. Nothing else follows in the same call: the change
// feed brings the rest.
//
//	submit.go      forms and clicks of people; apirequest.go: requests of programs,
//	               again.go: of what they asked for before, and cancel.go takes them back;
//	               changes.go: what approvals give in place of what is asked for;
//	               behalf.go: for which colleague a form is; agents.go: what agents may
//	               do, and how they are shut out;
//	               builder.go: of steps of workflows in Slack
//	forms.go       forms that customers' handlers have a say in
//	drive.go       moves a run on: resumes its execution, or starts one
//	approval.go    what the steps that collect a decision share:
//	               route.go, forward.go, decide.go; vouch.go: who counts at a
//	               decision and before the grant, as people are now
//	access.go      what granting and removing share: escalate.go, deescalate.go;
//	               sick.go puts off what would wait for a target that does not answer,
//	               waiting.go looks again at one that needs time
//	extend.go      decides whether there is more time, and tells schedules and targets
//	breakglass.go  lets people have access without approval in an emergency, and
//	               has it reviewed; later.go starts access that was asked for later
//	linger.go      asks targets for how long sessions go on after access
//	limiter.go     keeps the pace at which targets are asked
//	home.go        keeps what App Home shows, and shows changes of it
//	feed.go        reads the change feed, for drive, notify.go (Slack) and
//	               audit.go (the audit log)
//	deliver.go     sends the records of the log to the destinations of the configuration
//	link.go        where people meet a run
//	messages.go    which messages a run is shown by: cards that live, and replies
//	               below them that tell; remind.go: those that remind people to act
//	notices.go     tells the error channels what belongs to no run
//	confirm.go     lets administrators say that an address is another account's
//	health.go      how Slack takes what it is sent, for what tells it elsewhere
//	sweep.go       once a minute, drives what is due and was missed
//	standing.go    now and then, looks at who holds access, and at requests of
//	               flows that have changed
//	relist.go      puts runs into the listings by which they are found, once those
//	               of before there were any
//	reconcile.go   now and then, compares grants with what targets show
//	recover.go     puts grants back that the table lacks and records tell of
//	report.go      makes the report of a month, and keeps that of each
//	explain.go     says what would come of a request, by having it decided on a draft;
//	               supposed.go: the clock and the targets of what is only tried
//	publish.go     makes what files say the current configuration
//	configure.go   keeps pieces of configuration that the configuration API is sent;
//	               assemble.go: makes flows of them; propose.go: asks for approval
//	               of changes that need it, and conclude.go does what was decided
//	handlers.go    asks customers' handlers before a step; people.go looks up
//	               the people whom configurations and handlers name, identity.go
//	               who the requester is at the target
//
// Interfaces to the world outside stand beside the use case that needs them, and
// in ports.go if several do.
//
// The package does not say what a run may do, what comes next, or what handlers
// may bring about: that is package flow. How runs are shown to others is package
// record, how they are stored package store, and how targets are changed package
// strategy. Slack, the API and AWS are adapters, which package app puts together
// with the use cases.
package workflow
