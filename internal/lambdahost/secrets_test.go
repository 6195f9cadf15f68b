package lambdahost

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(`{"token":"s3cret","port":5432}`+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets := Secrets{
		"/sym/env":   {Env: "SLACK_BOT_TOKEN"}, // set by TestMain
		"/sym/unset": {Env: "LAMBDAHOST_TEST_NEVER_SET"},
		"/sym/file":  {File: file},
		"/sym/gone":  {File: file + "-gone"},
	}
	for _, test := range []struct {
		path, key string
		want      string
		text      string // of the error
	}{
		{path: "/sym/env", want: ourSecret},
		{path: "/sym/file", want: `{"token":"s3cret","port":5432}`},
		{path: "/sym/file", key: "token", want: "s3cret"},
		{path: "/sym/file", key: "port", want: "5432"},
		{path: "/sym/file", key: "user", text: `no key "user"`},
		{path: "/sym/env", key: "token", text: "no JSON object"},
		{path: "/sym/unset", text: "LAMBDAHOST_TEST_NEVER_SET is not set"},
		{path: "/sym/gone", text: "could not be read"},
		{path: "/sym/other", text: "not mapped in local.yaml: add its path /sym/other there"},
	} {
		got, err := secrets.Value(t.Context(), flow.SecretRef{Name: "it", Path: test.path, JSONKey: test.key})
		if test.text != "" {
			expectError(t, err, flow.CodeUnavailable, test.text)
			if err != nil && (strings.Contains(err.Error(), ourSecret) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("%s %s: the error shows the value: %v", test.path, test.key, err)
			}
		} else if err != nil || got != test.want {
			t.Errorf("%s %s: got %q, %v; want %q", test.path, test.key, got, err, test.want)
		}
	}
}

func TestSecrets_Suite(t *testing.T) {
	t.Parallel()
	strategytest.Secrets(t, func(t *testing.T, values map[string]string) strategy.Secrets {
		secrets, dir := Secrets{}, t.TempDir()
		for path, value := range values {
			file := filepath.Join(dir, strings.ReplaceAll(path, "/", "-"))
			if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			secrets[path] = Secret{File: file}
		}
		return secrets
	})
}
