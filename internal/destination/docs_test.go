package destination_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

// TestGuide: the guide's configuration has every type, and passes the check with nothing
// to complain of; the guide names every setting.
func TestGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/destinations.md")
	if err != nil {
		t.Fatal(err)
	}
	whole := regexp.MustCompile("(?s)```yaml\n(kind: secrets.*?)```").FindSubmatch(guide)
	if whole == nil {
		t.Fatal("the guide has no configuration")
	}
	c, report := catalog.LoadFS(fstest.MapFS{"a.yaml": {Data: whole[1]}}, "sym", builtin.Types())
	if err := report.Err(); err != nil || len(report.Warnings) > 0 {
		t.Fatalf("%v, %v", err, report.Warnings)
	}
	if len(c.LogDestinations) != len(destination.Types()) {
		t.Errorf("it has %d destinations of %d types", len(c.LogDestinations), len(destination.Types()))
	}
	for name, typ := range destination.Types() {
		if !strings.Contains(string(guide), "| `"+name+"` |") {
			t.Errorf("the guide has no row of %s", name)
		}
		for _, s := range append(typ.Settings.Known, typ.Integration.Settings...) {
			if !regexp.MustCompile(`\b`+s.Name+`\b`).Match(guide) && s.Name != "account_id" {
				t.Errorf("the guide does not name %s of %s", s.Name, name)
			}
		}
	}
}

// TestRights: a destination is allowed the one call on the one resource, or to act as its
// role; and to read its secrets.
func TestRights(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/destinations.md")
	if err != nil {
		t.Fatal(err)
	}
	whole := regexp.MustCompile("(?s)```yaml\n(kind: secrets.*?)```").FindSubmatch(guide)
	here := strings.ReplaceAll(string(whole[1]), "integration_id: security-account, ", "")
	for text, want := range map[string]string{
		string(whole[1]): "assume arn:aws:iam::210987654321:role/sym-audit acme-sym, secrets datadog-key segment-key siem-signing splunk-token",
		here: "events:PutEvents arn:{partition}:events:{region}:{account}:event-bus/security, " +
			"firehose:PutRecordBatch arn:{partition}:firehose:{region}:{account}:deliverystream/sym-ocsf, " +
			"kinesis:PutRecords arn:{partition}:kinesis:{region}:{account}:stream/sym-audit, " +
			"s3:PutObject arn:{partition}:s3:::acme-security-logs/sym/*, secrets datadog-key segment-key siem-signing splunk-token",
	} {
		c, report := catalog.LoadFS(fstest.MapFS{"a.yaml": {Data: []byte(text)}}, "sym", builtin.Types())
		if err := report.Err(); err != nil {
			t.Fatal(err)
		}
		var got []string
		r := c.DestinationRights()
		for _, a := range r.Allow {
			got = append(got, strings.Join(a.Actions, " ")+" "+strings.Join(a.Resources, " "))
		}
		for _, role := range r.Assume {
			got = append(got, "assume "+role.ARN+" "+role.ExternalID)
		}
		var secrets []string
		for _, s := range r.Secrets {
			secrets = append(secrets, s.Name)
		}
		got = append(got, "secrets "+strings.Join(secrets, " "))
		if strings.Join(got, ", ") != want {
			t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
		}
	}
}
