package strategytest

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestShapes(t *testing.T) {
	t.Parallel()
	shapes := &Shapes{
		Operations: []Operation{
			{Call: "GET /groups", Parameters: "page", Answer: "items.id items.scope.* next"},
			{Call: "GET /groups/{}", Answer: "id members.id", Statuses: []int{200, 404}},
			{Call: "POST /groups/{}:add", Body: "version member", Answer: "id"},
			{Call: "POST /tokens", Body: "user password", Answer: "token"},
		},
		Errors: "code message", Anywhere: []int{429},
	}
	for _, test := range []struct {
		call, sent string
		status     int
		answered   string
		wrong      string // "": nothing
	}{
		{"GET /groups?page=2", "", 200, `{"items": [{"id": 1, "scope": {"id": 1, "name": "x"}}], "next": 3}`, ""},
		{"GET /groups?size=2", "", 200, `{}`, `the query has "size"`},
		{"GET /groups", "", 200, `{"items": [{"id": 1}, {"id": 2, "owner": 1}]}`, `the answer has "items.owner"`},
		{"GET /groups/g1", "", 200, `{"id": "g1", "members": [{"id": "u1"}]}`, ""},
		{"GET /groups/g1", "", 404, `{"code": 404, "message": "none"}`, ""},
		{"GET /groups/g1", "", 429, ``, ""},
		{"GET /groups/g1", "", 404, `{"id": "g1"}`, `the answer of status 404 has "id"`},
		{"GET /groups/g1", "", 410, ``, "status 410 is not in the description"},
		{"GET /groups/g1/members", "", 200, ``, "there is no such operation"},
		{"GET /groups/", "", 200, ``, "there is no such operation"},
		{"DELETE /groups/g1", "", 204, ``, "there is no such operation"},
		{"POST /groups/g1:add", `{"version": 1, "member": "u1"}`, 500, ``, ""},
		{"POST /groups/g1:add", `{"version": 1, "members": ["u1"]}`, 200, `{"id": "g1"}`, `the body has "members"`},
		{"POST /groups/g1:set", `{}`, 200, ``, "there is no such operation"},
		{"POST /tokens", "user=a&password=b", 200, `{"token": "t"}`, ""},
		{"POST /tokens", "user=a&scope=b", 200, `{"token": "t"}`, `the form has "scope"`},
	} {
		method, path, _ := strings.Cut(test.call, " ")
		r := httptest.NewRequest(method, path, nil)
		if strings.Contains(test.sent, "=") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		wrong := strings.Join(shapes.held(r, []byte(test.sent), test.status, []byte(test.answered)), "\n")
		if (wrong == "") != (test.wrong == "") || !strings.Contains(wrong, test.wrong) {
			t.Errorf("%s: %q, want %q", test.call, wrong, test.wrong)
		}
	}
}
