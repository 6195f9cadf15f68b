package awsfake

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// modules are the SDK's, by the names that calls are signed for. Of account-access
// there is none to be had, and that of rds-data has no snapshots:
// accountaccess_test.go and rdsdata_test.go hold them to AWS's reference.
var modules = map[string]string{"iam": "iam", "sts": "sts", "eks": "eks", "kms": "kms", "sso": "ssoadmin", "identitystore": "identitystore"}

// TestRequests: the fake takes the requests that the SDK's module has as
// snapshots, each for the operation that it is of.
func TestRequests(t *testing.T) {
	t.Parallel()
	f := New()
	for name, s := range f.services {
		if modules[name] == "" {
			continue
		}
		dir := module(t, modules[name])
		for _, op := range s.operations {
			snapshot, err := os.ReadFile(filepath.Join(dir, "request_snapshot", op.name+".request.snap"))
			if err != nil {
				t.Errorf("%s has no %s: %v", name, op.name, err)
				continue
			}
			line, rest, _ := strings.Cut(string(snapshot), "\n\n")
			head, body, _ := strings.Cut(rest, "\n\n")
			method, uri, _ := strings.Cut(line, " ")
			r := httptest.NewRequest(method, uri, strings.NewReader(body))
			for header := range strings.Lines(head) {
				k, v, _ := strings.Cut(strings.TrimSpace(header), ": ")
				r.Header.Set(k, v)
			}
			found, err := s.find(&request{fake: f, http: r}, []byte(body))
			if err != nil || found.name != op.name {
				t.Errorf("%s %s is taken for %+v, %v", name, op.name, found, err)
			}
		}
	}
}

// TestAnswers: what the fake answers has no member that the module's snapshot of
// the answer does not have.
func TestAnswers(t *testing.T) {
	t.Parallel()
	f := New()
	answers := recorded(t, f)
	for name, s := range f.services {
		if modules[name] == "" {
			continue
		}
		dir := module(t, modules[name])
		for _, op := range s.operations {
			got, ok := answers[name+" "+op.name]
			if !ok {
				t.Errorf("nothing asks for %s %s: add it", name, op.name)
				continue
			}
			snapshot, err := os.ReadFile(filepath.Join(dir, "response_snapshot", op.name+".response.snap"))
			if errors.Is(err, os.ErrNotExist) {
				continue // of sts there are none
			} else if err != nil {
				t.Fatal(err)
			}
			_, want, _ := strings.Cut(string(snapshot), "\n\n")
			there := members(t, []byte(want))
			for m := range members(t, got) {
				if !there[m] && !strings.Contains(m, "/ResponseMetadata") {
					t.Errorf("%s answers %s, which is no member of it", op.name, m)
				}
			}
		}
	}
}

// recorded asks for every operation, and gives the answers.
func recorded(t *testing.T, f *Fake) map[string][]byte {
	t.Helper()
	cfg := f.Config(t)
	answers := map[string][]byte{}
	var mu sync.Mutex
	next := cfg.HTTPClient
	cfg.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		answer, err := next.Do(r)
		if err != nil {
			return answer, err
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body = io.NopCloser(bytes.NewReader(body))
		f.mu.Lock()
		last := f.calls[len(f.calls)-1]
		f.mu.Unlock()
		mu.Lock()
		answers[last.Service+" "+last.Operation] = body
		mu.Unlock()
		return answer, err
	})
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	const role = "arn:aws:iam::123456789012:role/sym/connector"
	f.STS.AddRole(role, "")
	roles := sts.NewFromConfig(cfg)
	must(roles.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("sym"), DurationSeconds: aws.Int32(900)}))
	must(roles.GetCallerIdentity(ctx, nil))
	f.STS.FederateOutbound()
	must(roles.GetWebIdentityToken(ctx, &sts.GetWebIdentityTokenInput{Audience: []string{"api.example.com"}, SigningAlgorithm: aws.String("RS256"), DurationSeconds: aws.Int32(60)}))
	for _, name := range []string{"alice", "bob"} {
		f.IAM.AddUser(Own, "/staff/", name, map[string]string{"email": name + "@example.com"})
	}
	f.IAM.AddGroup(Own, "/", "ops")
	f.IAM.AddGroup(Own, "/", "dev")
	f.IAM.Join(Own, "ops", "bob")
	f.IAM.Join(Own, "dev", "alice")
	users := iam.NewFromConfig(cfg)
	ops, alice := aws.String("ops"), aws.String("alice")
	must(users.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: ops, UserName: alice}))
	must(users.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: alice, MaxItems: aws.Int32(1)}))
	must(users.GetGroup(ctx, &iam.GetGroupInput{GroupName: ops, MaxItems: aws.Int32(1)}))
	must(users.ListGroups(ctx, &iam.ListGroupsInput{MaxItems: aws.Int32(1)}))
	must(users.GetUser(ctx, &iam.GetUserInput{UserName: alice}))
	must(users.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{types.EntityTypeUser}, MaxItems: aws.Int32(1)}))
	must(users.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: ops, UserName: alice}))
	const viewer = "arn:aws:iam::123456789012:role/viewer"
	f.EKS.AddPrincipal(viewer)
	for _, name := range []string{"main", "test"} {
		f.EKS.AddCluster(Own, Region, name, "API")
	}
	f.EKS.AddEntry(Own, Region, "main", "arn:aws:iam::123456789012:role/admin", "admins")
	clusters := eks.NewFromConfig(cfg)
	cluster, principal, one := aws.String("main"), aws.String(viewer), aws.Int32(1)
	view, edit := aws.String(AccessPolicy("AmazonEKSViewPolicy")), aws.String(AccessPolicy("AmazonEKSEditPolicy"))
	must(clusters.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: cluster, PrincipalArn: principal, Tags: map[string]string{"key0": "b"}}))
	for _, policy := range []*string{edit, view} {
		must(clusters.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{
			ClusterName: cluster, PrincipalArn: principal, PolicyArn: policy, AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeNamespace, Namespaces: []string{"orders"}},
		}))
	}
	entry, err := clusters.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: cluster, PrincipalArn: principal})
	must(entry, err)
	must(clusters.TagResource(ctx, &eks.TagResourceInput{ResourceArn: entry.AccessEntry.AccessEntryArn, Tags: map[string]string{"key0": "c"}}))
	must(clusters.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: cluster, PrincipalArn: principal, MaxResults: one}))
	must(clusters.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: cluster, MaxResults: one}))
	must(clusters.ListAccessPolicies(ctx, &eks.ListAccessPoliciesInput{MaxResults: one}))
	must(clusters.ListClusters(ctx, &eks.ListClustersInput{MaxResults: one}))
	must(clusters.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: cluster}))
	must(clusters.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: principal, PolicyArn: view}))
	must(clusters.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: cluster, PrincipalArn: principal}))
	const signing = "arn:aws:kms:us-east-1:123456789012:key/1"
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	must(private, err)
	f.KMS.AddKey(signing, private)
	must(kms.NewFromConfig(cfg).Sign(ctx, &kms.SignInput{
		KeyId: aws.String(signing), Message: make([]byte, 32), MessageType: kmstypes.MessageTypeDigest, SigningAlgorithm: kmstypes.SigningAlgorithmSpecRsassaPkcs1V15Sha256,
	}))
	askIdentityCenter(t, f, cfg)
	return answers
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// module is where the SDK's module of a service is.
func module(t *testing.T, service string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+service).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// members lists the paths of members that an answer has: "/accessEntry/username".
func members(t *testing.T, body []byte) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	if bytes.HasPrefix(body, []byte("{")) {
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatal(err)
		}
		inJSON(v, "", found)
		return found
	}
	var at []string
	for d := xml.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		switch e := token.(type) {
		case xml.StartElement:
			at = append(at, e.Name.Local)
			found["/"+strings.Join(at, "/")] = true
		case xml.EndElement:
			at = at[:len(at)-1]
		}
	}
}

func inJSON(v any, at string, found map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Collect(maps.Keys(v)) {
			found[at+"/"+k] = true
			inJSON(v[k], at+"/"+k, found)
		}
	case []any:
		for _, e := range v {
			inJSON(e, at, found)
		}
	}
}
