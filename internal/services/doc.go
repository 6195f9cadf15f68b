// Package services answers what customers' handlers ask while they run: to send
// a message, to count what somebody has done, to keep a value. A request
// carries the token of one call of one run's handlers (store.Calls), and can do
// nothing on behalf of another run. The package changes no run, and gives out
// no key of ours.
//
// A request is {"token", "op", "args": {…}, "timeout_ms"}, an answer {"value": …} or
// {"error": {"code", "message", "hint"}}. It comes over HTTP on the loopback
// interface of this machine ([Services.Handler]), or as the payload of a
// function ([Services.Handle]).
//
//	send_message {to: destination, text}             null
//	send_thread_message {text}                       null; below the request's message
//	user_by_email {email, create}                    user
//	users_by_emails {emails}                         [user | null], made where they are not known
//	users_by_identities {service, service_id, user_ids}   [user]; who is not known is left out
//	slack_user_info {user: Slack id | user}          Slack's user object
//	slack_users {active_only}                        [Slack's user object]
//	slack_group_members {group_id}                   [user]
//	slack_channel_members {channel}                  [user]
//	event_count {user_id, event, since, until, filter_on, include_errored}   number
//	store_get {path}                                 the flow's value, else the shared one, else null
//	store_put {path, value, shared: bool}            null; without shared, it is the flow's own
//	save_identity {email, service, service_id, user_id}   null; of the requester, for an integration of the flow
//	secret {path, json_key}                          text; on this machine only
//	invoke {arn, payload}, invoke_async {arn, payload}    what the function answered; true
//
// A destination is the protocol's (flow.Destination), a user record.User.
package services
