// Package stepfn runs the request workflow on AWS Step Functions, as a
// standard workflow. It has three parts:
//
//	Definition  the state machine, rendered from flow.Steps at deploy
//	Tasks       what the machine's functions do when it invokes them
//	Runner      starts executions, and resumes those that wait
//
// The machine, in which every state but await goes on to the choice, which
// goes where the task said:
//
//	         ┌───────────────── choice ◄─────────────────┐
//	         │                                           │
//	start ─► route · await · decide · forward · escalate ┘ · done ─► end
//
//	await ── token comes back ─► decide
//	      └─ time is over ─────► forward
//
// An execution's input is the run's id and the number of the attempt, which
// all states read from the context object; from state to state goes only what
// the task before returned. Executions enter at route, whichever step the run
// is at: a task that is not wanted returns the step that is. So entering costs
// nothing on the usual way, and one task more on others.
//
// How long await may wait is known to the task before it, which reads the
// tier's stored deadline and returns the rest of it with next. The wait
// therefore never outlasts the deadline by more than the time in which await
// is entered, however often executions are started anew.
//
// A failing step ends the execution cleanly (what failed is in its history);
// the sweep starts another one as long as the run is due.
package stepfn
