package catalog_test

import (
	"slices"
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
		{"handlers", c.HandlerSecrets(), []string{"/pager", "/people", "/wiki"}}, // no flow uses the strategy any more, a run may
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
