// Package stepfn runs the request workflow on AWS Step Functions, as a
// standard workflow. It has three parts:
//
//	Definition  the state machine, rendered from flow.Steps at deploy
//	Tasks       what the machine's functions do when it invokes them
//	Runner      starts executions, and resumes those that wait
//
// The machine goes the usual way of a run without a question, for each state that is
// entered has its price; only where several ways are usual is there a choice, which
// goes where the task said:
//
//	start ─► route ─► await ─► decide ─► choice ─► escalate ─► end
//
//	await ── token comes back ─► decide
//	      └─ time is over ─────► forward ─► choice
//	choice ─► any step, or done ─► end
//	escalate ── Elsewhere ─► route
//
// An execution's input is the run's id and the number of the attempt, which
// all states read from the context object; from state to state goes only what
// the task before returned. Executions enter at route, whichever step the run
// is at: a task that is not wanted returns the step that is, and await then gives its
// token back at once. So entering costs nothing on the usual way, and two tasks more,
// which have nothing to do, on others. If the run needs another step after escalate,
// that reports an error, by which the execution enters anew.
//
// How long await may wait is known to the task before it, which reads the
// tier's stored deadline and returns the rest of it with next. The wait
// therefore never outlasts the deadline by more than the time in which await
// is entered, however often executions are started anew.
//
// A failing step ends the execution cleanly (what failed is in its history);
// the sweep starts another one as long as the run is due.
package stepfn
