package awsfake

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// accountAccess answers for the account access manager, as its reference has it:
// https://docs.aws.amazon.com/account-access/latest/APIReference/API_Operations.html
func (c *IdentityCenter) accountAccess() *service {
	return &service{
		protocol: restJSON{},
		operations: []*operation{
			{name: "CreateEntitlement", path: "POST /entitlements", do: c.createEntitlement, event: "escalate", whose: func(q *request) string {
				var in createEntitlement
				_ = q.read(&in)
				return in.Entitlement.PrincipalRole.Principal.IdentityCenter.UserID
			}},
			{name: "DeleteEntitlement", path: "DELETE /entitlements/{entitlementId}", do: c.deleteEntitlement, event: "deescalate", whose: func(q *request) string {
				who := ""
				c.read(q.who.account, time.Time{}, 0, func(s centerState) { who = s.entitled[q.http.PathValue("entitlementId")].principal })
				return who
			}},
			{name: "ListEntitlements", path: "POST /entitlements-list", do: c.listEntitlements},
		},
		broken: brokenJSON(), denied: deniedJSON("account-access"), throttled: throttledJSON, conflict: busy(nil),
	}
}

type principalRole struct {
	Account   string `json:"account,omitempty"`
	Principal struct {
		IdentityCenter struct {
			UserID  string `json:"userId,omitempty"`
			GroupID string `json:"groupId,omitempty"`
		} `json:"identityCenter"`
	} `json:"principal"`
	RoleArn string `json:"roleArn,omitempty"`
}

// who gives the principal that is named, which is a union.
func (p principalRole) who() (kind, id string) {
	if u := p.Principal.IdentityCenter.UserID; u != "" {
		return user, u
	}
	if g := p.Principal.IdentityCenter.GroupID; g != "" {
		return group, g
	}
	return "", ""
}

type createEntitlement struct {
	ApplicationArn string `json:"applicationArn"`
	Entitlement    struct {
		PrincipalRole principalRole `json:"principalRole"`
	} `json:"entitlement"`
}

var (
	applicationARN = regexp.MustCompile(`^arn:[a-z0-9-]+:account-access:[a-z0-9]+(-[a-z0-9]+)*:[0-9]{12}:application/[a-zA-Z0-9-]+$`)
	iamRoleARN     = regexp.MustCompile(`^arn:[a-z0-9-]+:iam::([0-9]{12}):role/([a-zA-Z0-9+=,.@_-]+/)*[a-zA-Z0-9+=,.@_-]+$`)
)

// ofApplication checks the application that a call names.
func (s centerState) ofApplication(q *request, arn string) error {
	if err := formed("applicationArn", arn, applicationARN); err != nil {
		return err
	}
	if arn != *s.application || strings.Split(arn, ":")[3] != q.region {
		return lacks("Application " + arn)
	}
	return nil
}

func (c *IdentityCenter) createEntitlement(q *request) (any, error) {
	var in createEntitlement
	if err := q.read(&in); err != nil {
		return nil, err
	}
	id := ""
	err := c.write(q.who.account, q.now, func(s centerState) error {
		p := in.Entitlement.PrincipalRole
		kind, who := p.who()
		if err := s.ofApplication(q, in.ApplicationArn); err != nil {
			return err
		}
		if err := formed("roleArn", p.RoleArn, iamRoleARN); err != nil {
			return err
		}
		_, isUser := s.users[who]
		_, isGroup := s.groups[who]
		switch {
		case !(kind == user && isUser || kind == group && isGroup):
			return invalid("The principal %s does not exist", who)
		case !s.roles[p.RoleArn]: // one that was made a moment ago, too
			return invalid("The role %s does not exist or can't be assumed", p.RoleArn)
		}
		if id = s.entitlement(kind, who, p.RoleArn); id == "" { // it is idempotent
			id = s.id("e")
			s.entitled[id] = entitled{kind, who, p.RoleArn, q.now}
		}
		return nil
	})
	return map[string]string{"entitlementId": id}, err
}

func (c *IdentityCenter) deleteEntitlement(q *request) (any, error) {
	return nil, c.write(q.who.account, q.now, func(s centerState) error {
		if err := s.ofApplication(q, q.http.URL.Query().Get("applicationArn")); err != nil {
			return err
		}
		delete(s.entitled, q.http.PathValue("entitlementId")) // of one that is not there, too
		return nil
	})
}

func (c *IdentityCenter) listEntitlements(q *request) (out any, err error) {
	var in struct {
		ApplicationArn string `json:"applicationArn"`
		Filter         struct {
			PrincipalRole principalRole `json:"principalRole"`
		} `json:"filter"`
		MaxResults *int   `json:"maxResults"`
		NextToken  string `json:"nextToken"`
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	by := in.Filter.PrincipalRole
	kind, who := by.who()
	if who == "" && by.RoleArn == "" && by.Account == "" {
		return nil, invalid("At least one filter must be specified")
	}
	c.read(q.who.account, q.now, q.behind, func(s centerState) {
		if err = s.ofApplication(q, in.ApplicationArn); err != nil {
			return
		}
		all := []map[string]any{}
		for _, id := range slices.Sorted(maps.Keys(s.entitled)) {
			e := s.entitled[id]
			account := iamRoleARN.FindStringSubmatch(e.role)[1]
			if who != "" && (e.kind != kind || e.principal != who) || by.RoleArn != "" && e.role != by.RoleArn || by.Account != "" && account != by.Account {
				continue
			}
			principal := map[string]string{"userId": e.principal}
			if e.kind == group {
				principal = map[string]string{"groupId": e.principal}
			}
			all = append(all, map[string]any{
				"entitlementId": id, "createdAt": e.at.UTC().Format(time.RFC3339),
				"entitlement": map[string]any{"principalRole": map[string]any{
					"account": account, "accountName": fmt.Sprintf("account-%s", account), "principal": map[string]any{"identityCenter": principal}, "roleArn": e.role,
				}},
			})
		}
		page, next, bad := jsonPage(paged{in.MaxResults, in.NextToken}, all)
		if bad != nil {
			err = bad
			return
		}
		out = struct {
			Entitlements []map[string]any `json:"entitlements"`
			NextToken    *string          `json:"nextToken,omitempty"`
		}{page, next}
	})
	return out, err
}
