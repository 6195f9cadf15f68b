package flow_test

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

func TestCheckFunctionARN(t *testing.T) {
	t.Parallel()
	const good = "arn:aws:lambda:us-east-1:123456789012:function:grant-database"
	for _, arn := range []string{
		good,
		good + ":$LATEST",
		good + ":live",
		good + ":12",
		"arn:aws:lambda:ap-southeast-2:123456789012:function:f_1",
	} {
		if err := flow.CheckFunctionARN(arn); err != nil {
			t.Errorf("%s: refused: %v", arn, err)
		}
	}
	for _, arn := range []string{
		"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f",
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:f_1",
		"", "grant-database", "123456789012:function:f",
		good + ":", good + ":a:b", good + "\n", " " + good,
		strings.Replace(good, "123456789012", "12345", 1),
		strings.Replace(good, ":function:", ":layer:", 1),
		strings.Replace(good, ":lambda:", ":s3:", 1),
		strings.Replace(good, "us-east-1", "", 1),
		"arn:aws:lambda:us-east-1:123456789012:function:" + strings.Repeat("a", 65),
	} {
		err := flow.CheckFunctionARN(arn)
		if flow.CodeOf(err) != flow.CodeInvalid || !strings.Contains(err.Error(), "arn:aws:lambda:") {
			t.Errorf("%q: got error %v, want one that shows an ARN", arn, err)
		}
	}
}

func TestARNRegion(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		"arn:aws:lambda:us-east-1:123456789012:function:f":              "us-east-1",
		"arn:aws:secretsmanager:eu-west-1:123456789012:secret:/sym/a:b": "eu-west-1",
		"arn:aws:iam::123456789012:role/r":                              "",
		"/sym/okta":                                                     "",
		"a:b:c:d:e:f":                                                   "",
		"":                                                              "",
	} {
		if got := flow.ARNRegion(arn); got != want {
			t.Errorf("%s: %q", arn, got)
		}
	}
}
