// Package report makes the report of a month: how requests came out, how long people
// took, who decided, what access there was, how late it was removed, what broke the
// rule or was without one, and what proves it. It is pure: [Of] takes from a run what
// is told of it, [Make] makes figures of many, [Report.Page] shows them as one HTML
// page, and as JSON they are the same figures.
//
// # Where the figures come from
//
// From the runs, and not from the daily items that App Home's charts are drawn from
// (store.Stats), nor from the audit records. The daily items name no approver, no
// target and no end of access, and belong to an environment, which may be gone by the
// time of the report. Audit records have all that, but lie by the time of their
// arrival, and a report of those would have to read a run's earlier months for what
// its last event means. Both count what a request came to by one method,
// flow.Run.Outcome, so that the charts and the report say the same; a test holds that.
//
// Runs are read by the index of their creation, which costs what the month has. What
// happened in a month to runs of before it is known by what daily items note of runs
// that reach into a month later than their own (store.Stats.Carry).
//
// # What counts when
//
// A request belongs to the month in which it was made, whenever it is decided. Access
// belongs to the month in which it was given, a removal to that in which it was
// observed. All times are UTC. A figure that can't be known is left out, and not 0.
//
//	facts.go       what is told of a run
//	report.go      the report, as JSON has it
//	make.go        figures of many runs
//	statistics.go  medians
//	evidence.go    which control of which standard is shown by what
//	page.go        the page; chart.go: its charts
package report
