package githubfake

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

//go:embed schema.graphql
var schemaText string

var schema = gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphql", Input: schemaText})

// object is one of the schema: its fields, of which those with arguments are
// functions, and __typename.
type object map[string]any

type resolver func(arguments map[string]any) any

// graphError is one that stands in an answer of status 200.
type graphError struct {
	kind, message string
	path          []string
}

// graphql answers a query that the schema allows, with the fields that it asks for.
func (c *call) graphql() {
	var body struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	decoder := json.NewDecoder(c.r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		c.fail(http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	document, faults := gqlparser.LoadQueryWithRules(schema, body.Query, rules.NewDefaultRules())
	if faults != nil {
		c.g.t.Errorf("GitHub's schema does not allow the query: %v\n%s", faults, body.Query)
		c.write(nil, &graphError{message: faults.Error()})
		return
	}
	operation := document.Operations[0]
	variables, err := validator.VariableValues(schema, operation, body.Variables)
	if err != nil {
		c.g.t.Errorf("GitHub's schema does not allow the variables: %v", err)
		c.write(nil, &graphError{message: err.Error()})
		return
	}
	if failed := c.g.failed; failed != nil {
		c.g.failed = nil
		c.write(nil, failed)
		return
	}
	q := query{variables: variables}
	data := q.fields(operation.SelectionSet, c.root(&q))
	c.write(data, q.failed)
}

func (c *call) write(data any, failed *graphError) {
	body := map[string]any{"data": data}
	if failed != nil {
		one := map[string]any{"message": failed.message, "path": append([]string{}, failed.path...)}
		if failed.kind != "" {
			one["type"] = failed.kind
		}
		body["errors"] = []any{one}
	}
	c.answer(http.StatusOK, "graphql", body)
}

// query is one that is being answered.
type query struct {
	variables map[string]any
	failed    *graphError
}

func (q *query) fields(set ast.SelectionSet, of object) map[string]any {
	got := map[string]any{}
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			value := of[s.Name]
			if f, is := value.(resolver); is {
				value = f(s.ArgumentMap(q.variables))
			}
			got[s.Alias] = q.value(s.SelectionSet, value)
		case *ast.InlineFragment:
			if s.TypeCondition == of["__typename"] {
				maps.Copy(got, q.fields(s.SelectionSet, of))
			}
		case *ast.FragmentSpread:
			maps.Copy(got, q.fields(s.Definition.SelectionSet, of))
		}
	}
	return got
}

func (q *query) value(set ast.SelectionSet, value any) any {
	switch v := value.(type) {
	case object:
		if v == nil {
			return nil
		}
		return q.fields(set, v)
	case []object:
		list := []any{}
		for _, one := range v {
			list = append(list, q.fields(set, one))
		}
		return list
	}
	return value
}

// missing is null, with an error that says so.
func (q *query) missing(path, format string, arguments ...any) any {
	q.failed = &graphError{"NOT_FOUND", fmt.Sprintf(format, arguments...), strings.Split(path, ".")}
	return nil
}

func (c *call) root(q *query) object {
	return object{
		"__typename": "Query",
		"repository": resolver(func(a map[string]any) any {
			r := c.s.repo(a["name"].(string))
			if r == nil || !strings.EqualFold(a["owner"].(string), OrgName) || a["followRenames"] == false && !strings.EqualFold(r.Name, a["name"].(string)) {
				return q.missing("repository", "Could not resolve to a Repository with the name '%s/%s'.", a["owner"], a["name"])
			}
			return c.repositoryObject(q, r)
		}),
		"node": resolver(func(a map[string]any) any {
			for _, r := range c.s.Repos {
				if nodeID(r) == a["id"] {
					return c.repositoryObject(q, r)
				}
			}
			return q.missing("node", "Could not resolve to a node with the global id of '%s'", a["id"])
		}),
		"organization": resolver(func(a map[string]any) any {
			if !strings.EqualFold(a["login"].(string), OrgName) {
				return q.missing("organization", "Could not resolve to an Organization with the login of '%s'.", a["login"])
			}
			return c.organizationObject()
		}),
	}
}

func (c *call) userObject(login string) object {
	return object{"__typename": "User", "id": "U_" + login, "login": login}
}

func (c *call) organizationObject() object {
	return object{
		"__typename": "Organization", "id": "O_1", "login": OrgName, "viewerCanAdminister": c.s.Owner,
		"team": resolver(func(a map[string]any) any {
			t := c.s.Teams[a["slug"].(string)]
			if t == nil {
				return nil // no error comes with it
			}
			return c.teamObject(t)
		}),
		"samlIdentityProvider": c.provider(),
	}
}

func (c *call) provider() any {
	if c.s.Linked == nil {
		return nil
	}
	return object{"__typename": "OrganizationIdentityProvider", "id": "IP_1", "externalIdentities": resolver(func(a map[string]any) any {
		var found []object
		for i, l := range c.s.Linked {
			// The filter is by the names alone, and finds parts of them.
			if name, is := a["userName"].(string); is && !strings.Contains(strings.ToLower(l.NameID), strings.ToLower(name)) && !strings.EqualFold(l.Email, name) {
				continue
			}
			var user any
			if _, member := c.s.Members[l.Login]; member {
				user = c.userObject(l.Login)
			} else if a["membersOnly"] == true {
				continue
			}
			emails := []object{}
			if l.Email != "" {
				emails = append(emails, object{"value": l.Email})
			}
			found = append(found, object{
				"id": fmt.Sprint("EI_", i), "user": user, "scimIdentity": nil,
				"samlIdentity": object{"nameId": l.NameID, "username": l.NameID, "emails": emails},
			})
		}
		return object{"nodes": found, "pageInfo": object{"hasNextPage": false, "endCursor": nil}}
	})}
}

// paged gives a page of edges. Pages are small, so that lists have many.
func paged(all []object, a map[string]any) object {
	const most = 2
	from := 0
	if after, is := a["after"].(string); is {
		text, err := base64.StdEncoding.DecodeString(after)
		if err != nil {
			panic("a cursor that GitHub has not given: " + after)
		}
		from, _ = strconv.Atoi(string(text))
	}
	first := most
	if n, err := strconv.Atoi(fmt.Sprint(a["first"])); err == nil {
		first = min(first, n)
	}
	to := min(len(all), from+first)
	info := object{"hasNextPage": to < len(all), "endCursor": nil}
	if to > from {
		info["endCursor"] = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(to)))
	}
	return object{"edges": all[min(from, to):to], "pageInfo": info}
}

func (c *call) repositoryObject(q *query, r *RepositoryData) object {
	return object{
		"__typename": "Repository", "id": nodeID(r), "nameWithOwner": OrgName + "/" + r.Name,
		"collaborators": resolver(func(a map[string]any) any {
			if only, is := a["login"].(string); is {
				if _, known := c.s.Users[c.s.login(only)]; !known {
					return q.missing("repository.collaborators", "Could not resolve to a User with the login of '%s'.", only)
				}
			}
			var edges []object
			for _, login := range slices.Sorted(maps.Keys(c.s.Users)) {
				sources := c.sources(r, login)
				if len(sources) == 0 {
					continue
				}
				if only, is := a["login"].(string); is && !strings.EqualFold(only, login) {
					continue
				}
				// Owners are direct collaborators, by GitHub's counting.
				if a["affiliation"] == "DIRECT" && r.Direct[login] == "" && c.s.Members[login].Role != "admin" {
					continue
				}
				edges = append(edges, object{"node": c.userObject(login), "permissionSources": sources})
			}
			return paged(edges, a)
		}),
	}
}

// sources tell where somebody has access to a repository from.
func (c *call) sources(r *RepositoryData, login string) []object {
	var sources []object
	give := func(role string, by object) {
		base := map[string]string{"none": "NONE", "read": "READ", "triage": "READ", "write": "WRITE", "maintain": "WRITE", "admin": "ADMIN"}[role]
		if base == "" {
			base = "READ" // a role of the organization's own
		}
		sources = append(sources, object{"permission": base, "roleName": role, "source": by})
	}
	if m, member := c.s.Members[login]; member && !m.Pending {
		organization := object{"__typename": "Organization", "login": OrgName}
		if m.Role == "admin" {
			give("admin", organization)
		} else if c.s.Base != "none" {
			give(c.s.Base, organization)
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(r.Teams)) {
		if role, _ := c.s.in(slug, login); role != "" {
			give(r.Teams[slug], object{"__typename": "Team", "slug": slug})
		}
	}
	if role := r.Direct[login]; role != "" {
		give(role, object{"__typename": "Repository", "nameWithOwner": OrgName + "/" + r.Name})
	}
	return sources
}

func (c *call) teamObject(t *TeamState) object {
	return object{
		"__typename": "Team", "id": "T_" + t.Slug, "slug": t.Slug,
		"members": resolver(func(a map[string]any) any {
			var edges []object
			for _, login := range slices.Sorted(maps.Keys(c.s.Members)) {
				role, inherited := c.s.in(t.Slug, login)
				if a["membership"] == "CHILD_TEAM" {
					role, inherited = "", false
					for _, below := range c.s.children(t.Slug) {
						if in, _ := c.s.in(below.Slug, login); in != "" {
							role = "member"
						}
					}
				}
				if text, is := a["query"].(string); is && !strings.Contains(strings.ToLower(login), strings.ToLower(text)) {
					continue
				}
				if role != "" && (a["membership"] != "IMMEDIATE" || !inherited) {
					edges = append(edges, object{"node": c.userObject(login), "role": strings.ToUpper(role)})
				}
			}
			return paged(edges, a)
		}),
	}
}
