package googlefake

import (
	"strings"

	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// Members of schemas.
var (
	aKey       = "id namespace"
	aRole      = "name expiryDetail.expireTime restrictionEvaluations.*"
	aMember    = strings.Join([]string{"name createTime updateTime type deliverySetting", in("preferredMemberKey", aKey), in("roles", aRole)}, " ")
	aGroup     = strings.Join([]string{"name parent displayName description createTime updateTime labels.* dynamicGroupMetadata.*", in("groupKey", aKey)}, " ")
	aDirGroup  = "adminCreated aliases description directMembersCount email etag externalIds id kind name nonEditableAliases"
	aDirMember = "delivery_settings email etag id kind role status type"
	aProject   = "name parent projectId state displayName createTime updateTime deleteTime etag labels.* tags.*"
	aPolicy    = strings.Join([]string{"version etag auditConfigs.*", in("bindings", "role members condition.title condition.description condition.expression condition.location")}, " ")
	aToken     = "access_token expires_in issued_token_type token_type"
)

var in = strategytest.In

// shapes are Google's methods as its descriptions have them (*-api.json in
// google.golang.org/api v0.312.0). The token endpoint of OAuth has none: its are those
// of https://developers.google.com/identity/protocols/oauth2/service-account. An error
// is as in https://google.aip.dev/193, and of OAuth as in RFC 6749.
var shapes = &strategytest.Shapes{
	Errors: "error.code error.message error.status error.details.* error.errors.* error_description",
	Operations: []strategytest.Operation{
		// cloudidentity/v1
		{Call: "GET /v1/groups:lookup", Parameters: "groupKey.id groupKey.namespace", Answer: "name"},
		{Call: "GET /v1/groups:search", Parameters: "query pageSize pageToken view", Answer: "nextPageToken " + in("groups", aGroup)},
		{Call: "GET /v1/groups/{}/memberships:lookup", Parameters: "memberKey.id memberKey.namespace", Answer: "name"},
		{Call: "GET /v1/groups/{}/memberships:checkTransitiveMembership", Parameters: "query", Answer: "hasMembership"},
		{Call: "GET /v1/groups/{}/memberships", Parameters: "pageSize pageToken view", Answer: "nextPageToken " + in("memberships", aMember)},
		{Call: "GET /v1/groups/{}/memberships/{}", Answer: aMember},
		{Call: "POST /v1/groups/{}/memberships", Body: aMember, Answer: "name done error.* metadata.* response.*"},
		{
			Call: "POST /v1/groups/{}/memberships/{}:modifyMembershipRoles", Answer: in("membership", aMember),
			Body: strings.Join([]string{"removeRoles updateRolesParams.fieldMask", in("addRoles", aRole), in("updateRolesParams.membershipRole", aRole)}, " "),
		},
		{Call: "DELETE /v1/groups/{}/memberships/{}", Answer: "name done error.* metadata.* response.*"},
		// admin/directory/v1
		{Call: "GET /admin/directory/v1/groups", Parameters: "customer domain maxResults orderBy pageToken query sortOrder userKey", Answer: "etag kind nextPageToken " + in("groups", aDirGroup)},
		{Call: "GET /admin/directory/v1/groups/{}", Answer: aDirGroup},
		{Call: "GET /admin/directory/v1/groups/{}/members", Parameters: "includeDerivedMembership maxResults pageToken roles", Answer: "etag kind nextPageToken " + in("members", aDirMember)},
		{Call: "GET /admin/directory/v1/groups/{}/members/{}", Answer: aDirMember},
		{Call: "GET /admin/directory/v1/groups/{}/hasMember/{}", Answer: "isMember"},
		{Call: "POST /admin/directory/v1/groups/{}/members", Body: aDirMember, Answer: aDirMember},
		{Call: "PATCH /admin/directory/v1/groups/{}/members/{}", Body: aDirMember, Answer: aDirMember},
		{Call: "DELETE /admin/directory/v1/groups/{}/members/{}"},
		{Call: "GET /admin/directory/v1/users/{}", Parameters: "customFieldMask projection viewType", Answer: "kind id etag primaryEmail emails.* aliases name.* suspended suspensionReason archived customerId orgUnitPath"},
		// cloudresourcemanager/v3
		{Call: "GET /v3/projects:search", Parameters: "pageSize pageToken query", Answer: "nextPageToken " + in("projects", aProject)},
		{Call: "GET /v3/projects/{}", Answer: aProject},
		{Call: "POST /v3/projects/{}:getIamPolicy", Body: "options.requestedPolicyVersion", Answer: aPolicy},
		{Call: "POST /v3/projects/{}:setIamPolicy", Body: "updateMask " + in("policy", aPolicy), Answer: aPolicy},
		// sts/v1, iamcredentials/v1, OAuth
		{Call: "POST /v1/token", Body: "grant_type audience scope requested_token_type subject_token_type subject_token options actor_token actor_token_type", Answer: aToken},
		{Call: "POST /v1/projects/-/serviceAccounts/{}:generateAccessToken", Body: "delegates lifetime scope", Answer: "accessToken expireTime"},
		{Call: "POST /v1/projects/-/serviceAccounts/{}:signJwt", Body: "delegates payload", Answer: "keyId signedJwt"},
		{Call: "POST /token", Body: "grant_type assertion", Answer: aToken},
	},
}
