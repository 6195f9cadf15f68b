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
	here := strings.NewReplacer(strategy.Partition, "aws", strategy.Region, Region, strategy.Account, Own)
	var lines strings.Builder
	line := func(action, resource string) {
		fmt.Fprintf(&lines, "%s: %s on %s\n", ownKey, action, here.Replace(resource))
	}
	for _, a := range rights.Allow {
		for _, action := range a.Actions {
			for _, on := range a.Resources {
				line(action, on)
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
	guard := &awstest.Guard{Next: f, Refused: func(c awstest.Call, why string) { t.Errorf("no right for %+v: %s", c, why) }}
	if err := guard.ReadRights(file, nil); err != nil {
		t.Fatal(err)
	}
	return f.serve(t, guard), func() []string { return guard.Unused(ownKey) }
}
