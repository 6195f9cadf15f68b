// Package flow is the domain: what a flow is, what a run of it may do, and
// what comes next. It knows neither storage nor Slack nor AWS, and imports
// the standard library only.
//
// A run moves like this; [Apply] is the only code that assigns a status:
//
//	           request            approve             escalate           deescalate
//	prompted ───────────▶ requested ─────▶ approved ───────────▶ escalated ─────▶ deescalated
//	    │                  │ │ │ ▲ │          │                                        ▲
//	    │ deny (system)    │ │ │ └─┘          └────────────────────────────────────────┘
//	    ├──────▶ denied ◀──┘ │ │  request_forward,      the end came before the grant
//	    │                    │ │  partial approval       was seen to succeed
//	    └──────▶ expired ◀───┘ └──▶ cancelled
//
// A hook of customers' code may shorten the way: a request, or the time-out of
// one, is then approved or denied by a rule. What it may put in the place of
// which event is a table in answer.go.
//
// What people, programs and clocks ask for is first appended as a [Signal]
// ([Receive]) and later taken by the workflow, one at a time, in the order of
// the writes. [Next] says which step of the workflow a run needs, Run.Due when
// somebody has to look at it at the latest.
//
// An entitlement that several runs may share is a [Grant], with its own
// moves, because it outlives each of the runs that hold it.
package flow
