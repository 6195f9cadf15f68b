// Package workflow has the use cases, one file each: what happens when
// somebody asks (submit), when a run has to move on (drive), at each step
// (route, decide, forward, escalate), when access ends (deescalate), when
// items change (relay, notify) and when time passes (sweep).
//
// Customers' handlers are asked before each step (handlers.go); what they may
// bring about is told by package flow, how they are asked by package sdk.
//
// It knows Slack, audit logs, schedules, functions and clocks as the narrow
// interfaces that stand beside the use cases which need them, and in ports.go
// where several do. Every use case has the same shape: read the run,
// let flow.Apply decide, write it if nobody was faster. What follows from the
// write is done by whoever reads the change feed.
package workflow
