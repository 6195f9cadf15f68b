package app

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/lambdahost"
)

// TestUnmapped: what local.yaml lacks is told, once each, and by whom it is named.
func TestUnmapped(t *testing.T) {
	t.Parallel()
	c := &catalog.Catalog{
		Environments: []flow.Environment{{Name: "main", LambdaARNs: []string{"arn:mapped", "arn:handlers"}}},
		Strategies: []flow.Strategy{
			{Type: "aws_lambda", Targets: []flow.Target{{Name: "orders-db", Settings: map[string]string{"arn": "arn:target"}}}},
			{Type: "http", Targets: []flow.Target{{Name: "x", Settings: map[string]string{"arn": "arn:no-function"}}}},
		},
		Flows: []*flow.Flow{
			{Name: "report", Params: flow.Params{OnApprove: &flow.LambdaCall{ARN: "arn:on"}, AfterApprove: &flow.LambdaCall{ARN: "arn:after"}}},
		},
		Secrets: []flow.SecretRef{{Name: "key", Path: "/key"}, {Name: "again", Path: "/key"}, {Name: "known", Path: "/known"}},
	}
	m := lambdahost.Config{
		Functions: map[string]lambdahost.Function{"arn:mapped": {}}, Secrets: lambdahost.Secrets{"/known": {}},
	}
	const function, secret = ": on this machine, calling it fails until it is there, under functions", ": on this machine, what needs it fails until it is there, under secrets"
	want := []string{
		"local.yaml has no function arn:after, which after_approve of flow report names" + function,
		"local.yaml has no function arn:handlers, which lambda_arns of environment main names" + function,
		"local.yaml has no function arn:on, which on_approve of flow report names" + function,
		"local.yaml has no function arn:target, which target orders-db names" + function,
		"local.yaml has no secret /key (key)" + secret,
	}
	if diff := cmp.Diff(want, unmapped(c, m, false)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[4:], unmapped(c, m, true)); diff != "" {
		t.Errorf("with functions in AWS: %s", diff)
	}
}

// TestUnmappedIsTold: by check where there is a local.yaml, and at each start.
func TestUnmappedIsTold(t *testing.T) {
	t.Parallel()
	p := ownFlows(t)
	const lacks = "local.yaml has no function arn:aws:lambda:us-east-1:123456789012:function:report, which lambda_arns of environment main names"
	if log := readFile(t, p.path("log")); !strings.Contains(log, lacks) {
		t.Errorf("the start does not tell:\n%s", log)
	}
	check := func() string {
		t.Helper()
		var out bytes.Buffer
		if err := Main(t.Context(), []string{"check", "-flows", p.path("flows"), "-data", t.TempDir()}, func(string) string { return "" }, &out, io.Discard); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := check(); strings.Contains(got, "local.yaml") {
		t.Errorf("without local.yaml, check says\n%s", got)
	}
	if err := os.WriteFile(p.path("flows/local.yaml"), []byte("functions: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := check(); !strings.Contains(got, "warning: "+lacks) {
		t.Errorf("check says\n%s", got)
	}
}
