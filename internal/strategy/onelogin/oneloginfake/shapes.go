package oneloginfake

import "github.com/symflows/symflows/internal/strategy/strategytest"

// shapes are what version 2 of OneLogin's API has, by its OpenAPI description, from
// which docs/ of https://github.com/onelogin/onelogin-python-sdk is made. That of
// tokens is its guide's (https://developers.onelogin.com/api-docs/2/oauth20-tokens).
var shapes = &strategytest.Shapes{
	Operations: []strategytest.Operation{
		{
			Call: "POST /auth/oauth2/v2/token", Body: "grant_type", Statuses: []int{200, 400, 401},
			Answer: "access_token created_at expires_in refresh_token token_type account_id",
		},
		{Call: "GET /api/2/users", Parameters: "limit page cursor email username user_ids fields", Answer: userFields, Statuses: []int{200, 400, 401}},
		{Call: "GET /api/2/users/{}", Answer: userFields, Statuses: []int{200, 401, 404}},
		{Call: "GET /api/2/roles", Parameters: "limit page cursor name app_id app_name fields", Answer: roleFields, Statuses: []int{200, 401}},
		{Call: "GET /api/2/roles/{}", Answer: roleFields, Statuses: []int{200, 401, 404}},
		{Call: "GET /api/2/roles/{}/users", Parameters: pageParameters, Answer: holderFields, Statuses: []int{200, 401, 404}},
		{Call: "GET /api/2/roles/{}/admins", Parameters: pageParameters, Answer: holderFields, Statuses: []int{200, 401, 404}},
		{Call: "POST /api/2/roles/{}/users", Answer: "id", Statuses: []int{200, 401, 422}},
		{Call: "POST /api/2/roles/{}/admins", Answer: "id", Statuses: []int{200, 401, 422}},
		{Call: "DELETE /api/2/roles/{}/users", Statuses: []int{204, 401, 404}},
		{Call: "DELETE /api/2/roles/{}/admins", Statuses: []int{204, 401, 404}},
	},
	Errors: "message statusCode name", Anywhere: []int{403, 429},
}

const (
	pageParameters = "limit page cursor name include_unassigned"
	roleFields     = "id name apps users admins"
	holderFields   = "id name username email added_at added_by.id added_by.name assigned"
	userFields     = "id username email firstname lastname title department company comment group_id role_ids phone state status directory_id trusted_idp_id " +
		"manager_ad_id manager_user_id samaccountname member_of userprincipalname distinguished_name external_id activated_at last_login " +
		"invitation_sent_at updated_at preferred_locale_code created_at invalid_login_attempts locked_until password_changed_at custom_attributes.*"
)
