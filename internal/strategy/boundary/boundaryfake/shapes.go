package boundaryfake

import "github.com/symflows/symflows/internal/strategy/strategytest"

// shapes are what the controller's API has, by the messages and the bindings to HTTP
// in internal/proto/controller/api of https://github.com/hashicorp/boundary, which
// say nothing of statuses.
var shapes = &strategytest.Shapes{
	Operations: []strategytest.Operation{
		{
			Call: "POST /v1/auth-methods/{}:authenticate", Body: "token_type attributes.login_name attributes.password command",
			Answer: "attributes.* command",
		},
		{Call: "GET /v1/groups", Parameters: listing, Answer: listed + strategytest.In("items", groupFields)},
		{Call: "GET /v1/groups/{}", Answer: groupFields},
		{Call: "POST /v1/groups/{}:add-members", Body: "version member_ids", Answer: groupFields},
		{Call: "POST /v1/groups/{}:remove-members", Body: "version member_ids", Answer: groupFields},
		{Call: "GET /v1/users", Parameters: listing, Answer: listed + strategytest.In("items", userFields)},
		{Call: "GET /v1/users/{}", Answer: userFields},
		{Call: "GET /v1/targets", Parameters: listing, Answer: listed + strategytest.In("items", targetFields)},
		{Call: "GET /v1/sessions", Parameters: listing + " include_terminated", Answer: listed + strategytest.In("items", sessionFields)},
		{Call: "POST /v1/sessions/{}:cancel", Body: "version", Answer: sessionFields},
	},
	Errors: "kind message op details.*",
}

const (
	listing       = "scope_id recursive filter list_token page_size"
	listed        = "response_type list_token sort_by sort_dir removed_ids est_item_count "
	commonFields  = "id scope_id scope.id scope.type scope.name scope.description scope.parent_scope_id name description created_time updated_time version authorized_actions "
	groupFields   = commonFields + "member_ids members.id members.scope_id"
	userFields    = commonFields + "account_ids accounts.id accounts.scope_id login_name full_name email primary_account_id"
	targetFields  = commonFields + "type host_source_ids session_max_seconds session_connection_limit worker_filter address attributes.*"
	sessionFields = commonFields + "target_id type expiration_time auth_token_id user_id host_set_id host_id endpoint states.status states.start_time states.end_time " +
		"status certificate termination_reason connections.*"
)
