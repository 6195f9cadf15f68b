package oktafake

import "github.com/symflows/symflows/internal/strategy/strategytest"

// The fields of what Okta answers, lists being of the same, as its OpenAPI description
// has them: https://github.com/okta/okta-sdk-golang/blob/master/okta/api/openapi.yaml.
const (
	userFields = "id status created activated statusChanged lastLogin lastUpdated passwordChanged type.id transitioningToStatus realmId " +
		"profile.* credentials.* _embedded.* _links.*"
	groupFields = "id type created lastUpdated lastMembershipUpdated objectClass profile.* _embedded.* _links.*"
	ruleFields  = "id name status type created lastUpdated actions.assignUserToGroups.groupIds conditions.expression.type conditions.expression.value " +
		"conditions.people.groups.exclude conditions.people.users.exclude"
)

// shapes is what is called here. Of the token endpoint, and of group-rules, which the
// description did not have yet, it is Okta's guide.
var shapes = &strategytest.Shapes{
	Operations: []strategytest.Operation{
		{
			Call: "POST /oauth2/v1/token", Body: "grant_type scope client_assertion_type client_assertion",
			Answer: "access_token token_type expires_in scope", Statuses: []int{200, 400, 401},
		},
		{Call: "GET /api/v1/users", Parameters: "search filter q after limit sortBy sortOrder", Answer: userFields, Statuses: []int{200, 403}},
		{Call: "GET /api/v1/users/{}", Parameters: "expand", Answer: userFields, Statuses: []int{200, 403, 404}},
		{Call: "GET /api/v1/users/{}/groups", Parameters: "after", Answer: groupFields, Statuses: []int{200, 403, 404}}, // after: by Link headers
		{Call: "GET /api/v1/groups", Parameters: "search filter q after limit expand sortBy sortOrder", Answer: groupFields, Statuses: []int{200, 403}},
		{Call: "GET /api/v1/groups/{}", Answer: groupFields, Statuses: []int{200, 403, 404}},
		{Call: "GET /api/v1/groups/{}/users", Parameters: "after limit", Answer: userFields, Statuses: []int{200, 403, 404}},
		{Call: "GET /api/v1/groups/{}/users/{}/group-rules", Parameters: "after", Answer: ruleFields, Statuses: []int{200, 403, 404}},
		{Call: "PUT /api/v1/groups/{}/users/{}", Statuses: []int{204, 403, 404}},
		{Call: "DELETE /api/v1/groups/{}/users/{}", Statuses: []int{204, 403, 404}},
	},
	Errors:   "errorCode errorSummary errorLink errorId errorCauses.errorSummary error error_description",
	Anywhere: []int{429},
}
