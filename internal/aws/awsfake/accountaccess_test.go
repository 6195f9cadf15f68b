package awsfake

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestAccountAccess: the fake takes and answers what AWS's reference has of the
// account access manager, whose module of the SDK is not to be had:
// https://docs.aws.amazon.com/account-access/latest/APIReference/API_Operations.html
func TestAccountAccess(t *testing.T) {
	t.Parallel()
	f := New()
	f.stockIdentityCenter()
	const role = "arn:aws:iam::210987654321:role/ProdAdmin"
	f.IdentityCenter.AddRole(Own, role)
	ask := func(operation, method, at, body string) *httptest.ResponseRecorder {
		t.Helper()
		s := f.services["account-access"]
		q := &request{fake: f, http: httptest.NewRequest(method, at, strings.NewReader(body)), who: principal{account: Own}, region: Region, now: f.Now()}
		op, err := s.find(q, []byte(body))
		if err != nil || op.name != operation {
			t.Fatalf("%s %s is taken for %+v, %v", method, at, op, err)
		}
		w := httptest.NewRecorder()
		out, err := op.do(q)
		if err != nil {
			s.protocol.fault(w, asFault(err))
			return w
		}
		s.protocol.answer(w, q, out)
		return w
	}
	created := ask("CreateEntitlement", http.MethodPost, "/entitlements",
		`{"applicationArn": "`+application+`", "entitlement": {"principalRole": {"principal": {"identityCenter": {"userId": "`+alice+`"}}, "roleArn": "`+role+`"}}}`)
	_, id, _ := strings.Cut(strings.TrimSuffix(created.Body.String(), "\"}\n"), `{"entitlementId":"`)
	if created.Code != http.StatusOK || id == "" {
		t.Errorf("created: %d %s", created.Code, created.Body)
	}
	for _, filter := range []string{`"account": "210987654321"`, `"principal": {"identityCenter": {"userId": "` + alice + `"}}`, `"roleArn": "` + role + `"`} {
		listed := ask("ListEntitlements", http.MethodPost, "/entitlements-list", `{"applicationArn": "`+application+`", "filter": {"principalRole": {`+filter+`}}, "maxResults": 1}`)
		got := members(t, listed.Body.Bytes())
		for _, want := range []string{
			"/entitlements/entitlementId", "/entitlements/createdAt", "/entitlements/entitlement/principalRole/account", "/entitlements/entitlement/principalRole/accountName",
			"/entitlements/entitlement/principalRole/principal/identityCenter/userId", "/entitlements/entitlement/principalRole/roleArn",
		} {
			if !got[want] {
				t.Errorf("by %s: no %s in %s", filter, want, listed.Body)
			}
		}
	}
	if all := ask("ListEntitlements", http.MethodPost, "/entitlements-list", `{"applicationArn": "`+application+`", "filter": {"principalRole": {}}}`); all.Code != http.StatusBadRequest || all.Header().Get("X-Amzn-ErrorType") != "ValidationException" {
		t.Errorf("of everything: %d %s", all.Code, all.Body)
	}
	for range 2 {
		deleted := ask("DeleteEntitlement", http.MethodDelete, "/entitlements/"+id+"?applicationArn="+url.QueryEscape(application), "")
		if deleted.Code != http.StatusNoContent || deleted.Body.Len() > 0 {
			t.Errorf("deleted: %d %s", deleted.Code, deleted.Body)
		}
	}
	if f.IdentityCenter.Entitled(Own, role, "USER", alice) {
		t.Error("it is still there")
	}
}
