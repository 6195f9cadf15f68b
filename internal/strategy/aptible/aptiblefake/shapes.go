package aptiblefake

import "github.com/symflows/symflows/internal/strategy/strategytest"

// shapes are what Aptible's own clients call, and have of resources: the models of
// https://github.com/aptible/aptible-auth-ruby and the types of
// https://github.com/aptible/app-ui. Aptible publishes no description of this API.
var shapes = &strategytest.Shapes{
	Operations: []strategytest.Operation{
		{Call: "POST /tokens", Body: "grant_type username password scope expires_in otp_token", Answer: "id access_token refresh_token token_type scope expires_in expires_at " + commonFields},
		{Call: "GET /organizations", Parameters: "page", Answer: listed + strategytest.In("_embedded.organizations", organizationFields)},
		{Call: "GET /organizations/{}", Answer: organizationFields},
		{Call: "GET /organizations/{}/users", Parameters: "page", Answer: listed + strategytest.In("_embedded.users", userFields)},
		{Call: "GET /organizations/{}/roles", Parameters: "page", Answer: listed + strategytest.In("_embedded.roles", roleFields)},
		{Call: "GET /users/{}", Answer: userFields},
		{Call: "GET /roles/{}", Answer: roleFields},
		{Call: "GET /roles/{}/memberships", Parameters: "page", Answer: listed + strategytest.In("_embedded.memberships", membershipFields)},
		{Call: "POST /roles/{}/memberships", Body: "user_url", Answer: membershipFields},
		{Call: "DELETE /memberships/{}"},
	},
	Errors: "code error message exception_context.*",
}

const (
	listed             = "_links.* current_page per_page total_count "
	commonFields       = "created_at updated_at _type _links.* "
	organizationFields = "id name handle " + commonFields
	userFields         = "id name email username verified otp_enabled superuser ssh_public_key public_key_fingerprint " + commonFields
	roleFields         = "id name type " + commonFields
	membershipFields   = "id privileged " + commonFields
)
