// Package flow is the domain: what a flow is, what a run of it may do, and
// what comes next. It reads no clock, calls nothing outside the process, and
// imports the standard library only.
//
// # What is here
//
//   - A flow and the rules that a configuration must keep: flow.go, validate.go;
//     its form, and the checking of what people enter: form.go, fields.go; what
//     it gives, and who is asked, in words: about.go.
//   - A run and its history: run.go, event.go; a copy of it that shares nothing with
//     it: clone.go. What may happen to it is an [Input], and [Apply] in apply.go says whether it may happen now. Each input
//     stands with its subject: prompt.go, request.go, standing.go, access.go,
//     handlers.go, failure.go, execution.go.
//   - What people may do with a run now, for messages, lists and the check of what
//     is pressed alike: [Button] in buttons.go.
//   - What is asked for, and what is given of it: changes.go.
//   - More time for access that is there: extend.go. Of what people are reminded, and
//     when: remind.go.
//   - How a request came out, and how long that took: outcome.go.
//   - Access without approval, in an emergency: breakglass.go. Access that starts
//     later: later.go. What agents may ask for: agents.go.
//   - What is done to a deployment, and not to a run: [Act] in act.go. Where audit records
//     are sent: [LogDestination] in destination.go.
//   - What comes next: [Next], and the table of the workflow's steps, in steps.go.
//   - An entitlement that several runs may share: [Grant] in grant.go, with moves
//     of its own, because it outlives each of the runs that hold it. How much of it
//     the target is to show, where runs need different things: goal.go. How what a
//     target shows differs from what is recorded of one: drift.go.
//   - What records of a run that was lost bring back: recover.go.
//   - Several targets on one run: how each stands, [Part] in parts.go, and what an
//     attempt for several comes to, [Attempted] in attempted.go.
//   - A target that works on after it has answered, or shows late what it has done:
//     [Work] in grant.go, which outlives leases, and [Waiting] in waiting.go, by which
//     a run waits without an execution.
//   - A target that leaves calls unanswered: [Sickness] in sick.go, which all who
//     call it share, and what becomes of runs that wait for it.
//   - For how long sessions go on after access was taken away: [Lingering] in
//     linger.go.
//   - How fast one system is asked, and who waits for it: [Bookings] in pace.go.
//   - What customers' Python may answer: answer.go; the code itself: source.go,
//     filter.go. What customers' Lambda functions are called with: payload.go.
//   - Requests by a step of a workflow in Slack: builder.go.
//   - What a configuration names in Slack, and who is asked in vain: inslack.go.
//   - Names and texts: id.go, srn.go, arn.go, secret.go, duration.go, suggest.go,
//     json.go.
//   - Error codes, and what people may read of an error: error.go.
//
// Slack and AWS are known by their limits and by the forms of their names: how
// long an option may be, what a channel, a user id, an ARN or a secret's path
// looks like. A configuration that they would refuse has to be refused before
// anything runs.
//
// # What is not here
//
// Calling anything. Reading YAML is internal/catalog's, storing internal/store's,
// carrying out the steps internal/workflow's, targets internal/strategy's, and
// showing runs internal/slackapp's and internal/api's. How an event looks as an
// audit record is internal/record's.
//
// # The life of a run
//
// [Apply] is the only code that assigns a status:
//
//	           request            approve             escalate           deescalate
//	prompted ───────────▶ requested ─────▶ approved ───────────▶ escalated ─────▶ deescalated
//	    │                  │ │ │ ▲ │          │                                        ▲
//	    │ deny (system)    │ │ │ └─┘          └────────────────────────────────────────┘
//	    ├──────▶ denied ◀──┘ │ │  request_forward,      the end came before the grant
//	    │                    │ │  partial approval       was seen to succeed
//	    └──────▶ expired ◀───┘ └──▶ cancelled
//
// What was sent and nobody was asked about yet, and what was approved and of which
// nothing is intended, can be cancelled as well.
//
// What was approved is denied by the system after all if the requester may not
// ask any more, or the flow is gone, and nothing was touched yet: standing.go.
// Where a target shows something else than is recorded (drift.go), what is
// missing may be granted again, and what lingers is taken away again: escalated
// becomes approved once more, and deescalated escalated. A run that the table has
// lost, or has as it was before its access was granted, becomes escalated or
// deescalated by its records: recover.go.
//
// A hook of customers' code may shorten the way: a request, or the time-out of
// one, is then approved or denied by a rule. A table in answer.go says which
// event may take the place of which.
//
// What people, programs and clocks ask for is first appended as a [Signal]
// ([Receive]) and later taken by the workflow, one at a time, in the order of
// the writes. [Next] says which step of the workflow a run needs, Run.Due when
// it has to be looked at by the sweep, at the latest.
// waits.go says in words what a run waits for.
// past.go says what those who decide are told of the requester.
package flow
