// Package slacksim is a Slack workspace in memory: the Web API that an app
// calls, the signed requests that Slack sends to it, and the people who click.
// Local mode shows it as a page; tests of the whole system drive it from Go
// and read what each person sees as text. An app can't tell it from Slack, and
// nothing in this product knows that it exists.
//
//	person ──▶ Sim ── signed POST /slack/commands, …/interactions, …/options, …/events ──▶ app
//	person ◀── Sim ◀── POST /api/<method>, /response/<id> ─────────────────────────────── app
//
// It keeps Slack's documented rules also where they hurt: a trigger works once
// and for three seconds, a response URL five times in thirty minutes, blocks
// have limits (limits.go), the app must be in a channel to write to it.
// its token does what its scopes allow (scopes.go), if it is told which.
// What would come of a request is asked by its panel (explain.go).
// Steps of the app in workflows are started by [Person.StartStep] (builder.go), and
// links of its domains are shown by it (links.go).
// [Sim.Inject] makes it fail on demand. It may be an organisation of several
// workspaces (organisation.go), whose requests have shapes of their own.
//
// What it does not know, it refuses instead of guessing: blocks and elements
// that are not in limits.go are invalid here, there are no files,
// and of events those only that events.go makes. Error codes are Slack's; the sentences that
// come with them are near to Slack's but not promised.
//
// It serves loopback only and depends on the standard library alone.
package slacksim
