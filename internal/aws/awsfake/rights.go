package awsfake

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/strategy"
)

// Restricted is Config for a caller of the own account who has some rights only.
// What they don't allow is refused, and fails the test; unused lists those that no
// call has needed.
func (f *Fake) Restricted(t *testing.T, rights strategy.Rights) (cfg aws.Config, unused func() []string) {
	t.Helper()
	guard := f.guard(t, rights, func(c awstest.Call, why string) { t.Errorf("no right for %+v: %s", c, why) })
	return f.serve(t, guard), func() []string { return guard.Unused(ownKey) }
}

// Guarded is the same, and tells of what it refuses.
func (f *Fake) Guarded(t *testing.T, rights strategy.Rights, refused func(awstest.Call, string)) aws.Config {
	t.Helper()
	return f.serve(t, f.guard(t, rights, refused))
}

func (f *Fake) guard(t *testing.T, rights strategy.Rights, refused func(awstest.Call, string)) *awstest.Guard {
	t.Helper()
	here := strings.NewReplacer(strategy.Partition, "aws", strategy.Region, Region, strategy.Account, Own)
	var lines strings.Builder
	line := func(action, resource string) {
		fmt.Fprintf(&lines, "%s: %s on %s\n", ownKey, action, here.Replace(resource))
	}
	for _, a := range rights.Allow {
		when := "" // of conditions, those that the guard knows
		for key, values := range a.When {
			if strategy.Multivalued(key) {
				when = " if " + key + " ForAllValues:StringEquals " + strings.Join(values, " | ")
			}
		}
		for _, action := range a.Actions {
			for _, on := range a.Resources {
				line(action, on+when)
			}
		}
	}
	for _, ref := range rights.Secrets {
		line("secretsmanager:GetSecretValue", ref.Path)
	}
	for _, role := range rights.Assume {
		line("sts:AssumeRole", role.ARN)
	}
	file := filepath.Join(t.TempDir(), "rights.txt")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	guard := &awstest.Guard{Next: f, Refused: refused}
	if err := guard.ReadRights(file, nil); err != nil {
		t.Fatal(err)
	}
	return guard
}
