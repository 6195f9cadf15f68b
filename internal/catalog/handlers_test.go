package catalog_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
)

// TestSecretsOf: handlers and strategies are given the secrets that are theirs.
func TestSecretsOf(t *testing.T) {
	t.Parallel()
	const text = `
{kind: secrets, name: vault, type: aws_secrets_manager}
---
{kind: secret, name: pager, source_id: vault, path: /pager}
---
{kind: secret, name: okta, source_id: vault, path: /okta}
---
{kind: secret, name: wiki, source_id: vault, path: /wiki}
---
{kind: secret, name: signing, source_id: vault, path: /signing}
---
{kind: secret, name: people, source_id: vault, path: /people}
---
{kind: integration, name: people, type: google, external_id: example.com, settings: {api_token_secret: people}}
---
{kind: flows_filter, implementation: ./filter.py, integrations: {google_id: people}}
---
{kind: secret, name: spare, source_id: vault, path: /spare}
---
{kind: integration, name: pager, type: pagerduty, external_id: a.pagerduty.com, settings: {api_token_secret: pager}}
---
{kind: integration, name: okta, type: okta, external_id: a.okta.com, settings: {api_token_secret: okta}}
---
{kind: integration, name: wiki, type: custom, external_id: wiki, settings: {api_token_secret: wiki}}
---
{kind: environment, name: main, integrations: {pagerduty_id: pager}}
---
{kind: environment, name: other, integrations: {okta_id: okta}}
---
{kind: target, name: page, type: http, label: Page, settings: {identifier: page}}
---
{kind: strategy, name: pages, type: http, targets: [page], settings: {url: "https://example.com", signing_secret_id: signing}}
---
{kind: target, name: wiki, type: custom, label: Wiki}
---
{kind: strategy, name: wiki, type: custom, targets: [wiki], integration_id: wiki, implementation: ./wiki.py}
---
{kind: flow, name: asks, environment_id: main, implementation: ./impl.py, params: {approval: {notify: [{channel: "#a"}]}}}
---
{kind: flow, name: plain, environment_id: other, params: {strategy_id: pages, approval: {notify: [{channel: "#a"}]}}}
`
	python := &fstest.MapFile{Data: []byte("x = 1\n")}
	c, report := catalog.LoadFS(fstest.MapFS{"a.yaml": {Data: []byte(text)}, "impl.py": python, "wiki.py": python, "filter.py": python}, "sym", types)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		whose string
		got   []flow.SecretRef
		want  []string
	}{
		{"handlers", c.HandlerSecrets(""), []string{"/pager", "/people", "/wiki"}}, // no flow uses the strategy any more, a run may
		{"strategies", c.StrategyRights().Secrets, []string{"/signing"}},
	} {
		var paths []string
		for _, ref := range test.got {
			paths = append(paths, ref.Path)
		}
		if !slices.Equal(paths, test.want) {
			t.Errorf("%s are given %q, want %q", test.whose, paths, test.want)
		}
	}
}

// A flow with a function of its own shares no right with the others, and its
// strategy's code with nobody.
func TestIsolated(t *testing.T) {
	t.Parallel()
	const text = `
{kind: secrets, name: vault, type: aws_secrets_manager}
---
{kind: secret, name: pay, source_id: vault, path: /pay}
---
{kind: secret, name: wiki, source_id: vault, path: /wiki}
---
{kind: secret, name: all, source_id: vault, path: /all}
---
{kind: integration, name: pay, type: pagerduty, external_id: pay.pagerduty.com, settings: {api_token_secret: pay}}
---
{kind: integration, name: wiki, type: custom, external_id: wiki, settings: {api_token_secret: wiki}}
---
{kind: integration, name: all, type: pagerduty, external_id: all.pagerduty.com, settings: {api_token_secret: all}}
---
{kind: environment, name: pay, integrations: {pagerduty_id: pay}, lambda_arns: ["arn:aws:lambda:us-east-1:123456789012:function:pay"]}
---
{kind: environment, name: main, integrations: {pagerduty_id: all}, lambda_arns: ["arn:aws:lambda:us-east-1:123456789012:function:main"]}
---
{kind: environment, name: unused, lambda_arns: ["arn:aws:lambda:us-east-1:123456789012:function:unused"]}
---
{kind: target, name: wiki, type: custom, label: Wiki}
---
{kind: strategy, name: wiki, type: custom, targets: [wiki], integration_id: wiki, implementation: ./impl.py}
---
{kind: flow, name: pay, environment_id: pay, isolated: true, implementation: ./impl.py, params: {approval: {notify: [{channel: "#a"}]}}}
---
{kind: flow, name: wiki, environment_id: main, isolated: true, params: {strategy_id: wiki, approval: {notify: [{channel: "#a"}]}}}
---
{kind: flow, name: plain, environment_id: main, implementation: ./impl.py, params: {approval: {notify: [{channel: "#a"}]}}}
`
	load := func(more string, describe ...catalog.Describe) (*catalog.Catalog, catalog.Report) {
		python := &fstest.MapFile{Data: []byte("x = 1\n")}
		return catalog.LoadFS(fstest.MapFS{"a.yaml": {Data: []byte(text + more)}, "impl.py": python}, "sym", types, describe...)
	}
	// The text that all have is looked at for each isolated flow, that of its
	// strategy included, and for the others. What one says is said of itself only.
	var asked []string
	c, report := load("", func(s flow.Source, isolated string) (flow.Outline, error) {
		asked = append(asked, isolated)
		if isolated == "pay" {
			return flow.Outline{Handlers: []string{"on_request"}}, nil
		}
		return flow.Outline{Handlers: []string{"strategy:Wiki"}}, nil
	})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	if slices.Sort(asked); !slices.Equal(asked, []string{"", "pay", "wiki"}) {
		t.Errorf("asked of %q", asked)
	}
	for _, f := range c.Flows {
		if f.Implementation != nil && f.Implementation.Defines("on_request") != (f.Name == "pay") {
			t.Errorf("%s defines %q", f.Name, f.Implementation.Handlers)
		}
	}
	c, report = load("")
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	if got := c.Isolated(); !slices.Equal(got, []string{"pay", "wiki"}) {
		t.Errorf("isolated are %q", got)
	}
	for whose, want := range map[string]struct{ secrets, functions []string }{
		"pay":  {[]string{"/pay"}, []string{"pay"}},
		"wiki": {[]string{"/all", "/wiki"}, []string{"main"}},
		"":     {[]string{"/all"}, []string{"main", "unused"}},
	} {
		var secrets, functions []string
		for _, ref := range c.HandlerSecrets(whose) {
			secrets = append(secrets, ref.Path)
		}
		for _, arn := range c.HandlerARNs(whose) {
			functions = append(functions, arn[strings.LastIndexByte(arn, ':')+1:])
		}
		if !slices.Equal(secrets, want.secrets) || !slices.Equal(functions, want.functions) {
			t.Errorf("%q has %q and %q, want %+v", whose, secrets, functions, want)
		}
	}
	for more, fault := range map[string]string{
		`{kind: flow, name: more, environment_id: main, params: {strategy_id: wiki, approval: {notify: [{channel: "#a"}]}}}`: `flow "more": params.strategy_id: flows "wiki" and "more" share the Python of strategy "wiki"`,
		`{kind: flow, name: more, environment_id: main, isolated: true, params: {approval: {notify: [{channel: "#a"}]}}}`:    `flow "more": isolated: is for flows with Python`,
	} {
		if _, report := load("---\n" + more); !strings.Contains(report.String(), fault) {
			t.Errorf("got %s, want %s", report, fault)
		}
	}
	for config, want := range map[string]bool{text: true, "kind: nonsense": true, "{kind: environment, name: main}": false} {
		files := fstest.MapFS{"a.yaml": {Data: []byte(config)}, "impl.py": {Data: []byte("x = 1\n")}}
		if got := catalog.Isolates(files, "sym", types); got != want {
			t.Errorf("isolates: got %t for %.30s", got, config)
		}
	}
}
