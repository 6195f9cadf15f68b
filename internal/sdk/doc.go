// Package sdk asks customers' Python handlers. They run in a function of their
// own (functions/sdk), in AWS or under lambdahost on this machine, and in a
// process of their own for each source in it. One message goes in and one comes
// back, as the payload and the answer of an invocation. Unknown fields are
// tolerated both ways, so that either side may be newer.
//
// # The message
//
//	{"version": 1,
//	 "id": "…",                  the event's id: the idempotency key of the call
//	 "op": "handle",             or describe, prefetch, on_change, strategy, identity, flows
//	 "timeout_ms": 10000,        of each handler
//	 "source": {"name": "impl.py", "text": "…", "sha256": "…"},
//	 "services": {"url": "…" | "function": "<arn>", "token": "…", "offers": ["secret", "invoke"]},
//	 "event": {…}}
//
// Without services, handlers can't reach us. The ops and what they add:
//
//	describe   nothing; the answer lists the handlers that the source defines.
//	           With read: true, by its text alone: nothing of it runs
//	handle     handlers: names, asked in this order
//	prefetch   field                          → [{"value", "label"}], 1,000 of 55 characters at most
//	on_change  field, username, form          → the form; source is the field's own
//	strategy   method (fetch_remote_identity, escalate, deescalate), target_id, strategy;
//	           user for fetch_remote_identity → a text or null, else an object or null;
//	           source is the strategy's own
//	identity   handler (get_identity, get_identity_lookup), service, external_id, user → text or null
//	flows      handler (get_flows), user, flows, vars → names
//
// Of a handle message, what the source does not define is "absent". A hook that
// fails, or returns ignore, has the rest "skipped". A hook that returns its own
// event has its fields merged into the event and is asked once more; should it
// do that again, it fails (SDK:HOOK_LOOP). get_approvers is asked only where
// get_permissions or get_request_notifications is absent.
//
// # The answer
//
//	{"version": 1,
//	 "handlers": ["on_request", "prefetch:repo", "on_change_repo", "strategy:Ours"],
//	 "results": [{"handler": "on_request", "state": "returned" | "absent" | "skipped" | "failed",
//	              "value": …, "error": {"code": "Type:NAME", "message", "hint", "file", "line"},
//	              "output": "what it printed, 16 KB at most", "ms": 12}],
//	 "warnings": [error, …],     what is in the source and is passed over
//	 "output": "…",              what was printed outside of handlers, as while the source was imported
//	 "error": {…}}               when the source can't be imported, or the message not be understood
//
// Every fault of customers' code is a value: SDK:IMPORT_ERROR, the code of a
// SymException or SDK:HANDLER_ERROR, SDK:WRONG_RESULT, SDK:TIMEOUT,
// SDK:WORKER_DIED, SDK:RESULT_TOO_LARGE (over 16 KB; 256 KB for prefetch,
// on_change and flows). A function that fails as such is a bug of ours.
//
// Values:
//
//	on_…          null, or {"event": "approve", "fields": {}, "target_srn", "duration": seconds},
//	              or {"event": "ignore", "message"}
//	after_…       nothing
//	get_permissions            {"webapp_view": P, "approve_deny": P, "allow_self_approval": bool};
//	                           P is "admin", "member", "all_users" or a list of user ids
//	get_request_notifications  [{"destinations": [D], "timeout": seconds}]
//	get_approvers              D, or {"kind": "fallback", "destinations": [D],
//	                           "continue_on_delivery_failure", "continue_on_timeout"}
//	D             flow.Destination
//
// # What follows from an answer
//
// The order of a step is: the on_ hook and the reducers, in one call; their
// answer is saved under the id of the signal or the event; what the step does
// by itself; and once that is durable the after_ hook, in a second call. When
// two writers conflict, no handler is asked twice; when the process crashes
// before the answer is saved, it is: delivery is at least once. A flow without
// an implementation is not asked, and of an implementation whose handlers are
// known, only the handlers that it defines are.
//
// A hook may put another event in the place of its own, if that comes later in
// a run's life: the table is in package flow (answer.go). What it may not do,
// and any exception, stops the step:
//
//   - A request, a forward and an expiry wait for somebody to press Retry. The
//     request stays open for decisions meanwhile, and one that could not be sent
//     expires with the form's time.
//   - An approval or denial does not count, and may be made again.
//   - A grant waits for Retry.
//   - An after_ hook stops nothing: it is reported.
//
// Removal is the exception: access that is over, or that somebody asked to be
// taken away, is taken away whatever on_deescalate does. If it raises, returns
// nonsense, or does not answer within 20 seconds, that is reported with the
// event, and the removal goes on. Its ignore is honoured in one case only: when
// somebody wants access to end before its time who is no admin of the
// environment. Access with an end still ends then; that without one stays until
// somebody asks again, and an admin's word is final.
//
// # What handlers may ask
//
// While a handler of a run works, it may ask something of us (package services)
// with the token of that one call, which is stored hashed, good for that run
// and worthless when the call is over. No token of Slack, table or signing
// secret ever reaches customers' code.
package sdk
