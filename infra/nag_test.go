package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// findings lists what the checks at synth have found.
func (t template) findings() []string {
	var out []string
	for path, notes := range t.notes {
		for _, n := range notes {
			if n.Type == "aws:cdk:error" || n.Type == "aws:cdk:warning" {
				out = append(out, path+": "+text(n.Data))
			}
		}
	}
	return out
}

func TestGoodPractice(t *testing.T) {
	t.Parallel()
	for _, f := range standard(t).findings() {
		t.Error(f)
	}
	made, err := encrypted()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range made.findings() {
		t.Errorf("with a key: %s", f)
	}
}

// TestGoodPracticeIsChecked: the same checks find what is wrong with a bucket
// that has nothing but a name.
func TestGoodPracticeIsChecked(t *testing.T) {
	t.Parallel()
	jsiiTurn.Lock()
	defer jsiiTurn.Unlock()
	dir := t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(dir)})
	awss3.NewCfnBucket(awscdk.NewStack(app, jsii.String("bad"), nil), jsii.String("Bucket"), nil)
	checkPractice(app)
	app.Synth(nil)
	made, err := read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if found := strings.Join(made.findings(), "\n"); !strings.Contains(found, "AwsSolutions-S10") {
		t.Errorf("found only:\n%s", found)
	}
}

// TestSuppressionsSayWhy: every suppressed finding has a reason.
func TestSuppressionsSayWhy(t *testing.T) {
	t.Parallel()
	seen := 0
	for id, r := range standard(t).Resources {
		rules, _ := at(r.Metadata, "cdk_nag", "rules_to_suppress").([]any)
		for _, rule := range rules {
			seen++
			if reason := text(at(rule, "reason")); len(strings.Fields(reason)) < 6 {
				t.Errorf("%s suppresses %s because of %q: say why", id, text(at(rule, "id")), reason)
			}
		}
	}
	if seen == 0 {
		t.Error("no suppression was found")
	}
}
