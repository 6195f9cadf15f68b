package functions_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// right is something that a function's role may do.
type right struct {
	function, action string
	resource         *regexp.Regexp
	keys             []*regexp.Regexp // leading keys of the table; nil is any
}

// reviewedRights are those of the deployment: infra's tests hold the template
// to this list, and these tests hold the functions to it.
var reviewedRights = sync.OnceValues(func() ([]right, error) {
	text, err := os.ReadFile(filepath.Join("..", "infra", "testdata", "rights.txt"))
	if err != nil {
		return nil, err
	}
	names := strings.NewReplacer(
		"${AWS::Partition}", "aws", "${AWS::Region}", region, "${AWS::AccountId}", accountID,
		"${Table.Arn}", tableARN, "${SlackSecret}", secretARN(slackSecret), "${SlackSigningSecret}", secretARN(signingSecret),
		"${AuditStream.Arn}", arn("firehose", "deliverystream/"+auditStream), "${AuditQueue.Arn}", arn("sqs", "sym-flows-audit"),
	)
	var all []right
	for line := range strings.Lines(string(text)) {
		m := rightLine.FindStringSubmatch(names.Replace(strings.TrimSpace(line)))
		if m == nil {
			continue // of a role that no function has
		}
		r := right{function: strings.ToLower(m[1]), action: m[2], resource: glob(m[3])}
		if m[4] != "" {
			for key := range strings.SplitSeq(m[4], " | ") {
				r.keys = append(r.keys, glob(key))
			}
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, errors.New("there are no rights")
	}
	return all, nil
})

var rightLine = regexp.MustCompile(`^([A-Z][a-z]+)Role: (\S+) on (\S+)(?: if dynamodb:LeadingKeys ForAllValues:StringLike (.+)| if .+)?$`)

// glob reads a pattern of a policy.
func glob(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`^` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern)) + `$`)
}

// allowed tells whether the function's role lets it make a call.
func allowed(c call) (bool, error) {
	rights, err := reviewedRights()
	if err != nil {
		return false, err
	}
	for _, r := range rights {
		if r.function == folderOf(c.function) && r.action == c.action && r.resource.MatchString(c.resource) && allMatch(r.keys, c.keys) {
			return true, nil
		}
	}
	return false, nil
}

func allMatch(patterns []*regexp.Regexp, keys []string) bool {
	for _, key := range keys {
		matched := patterns == nil
		for _, p := range patterns {
			matched = matched || p.MatchString(key)
		}
		if !matched {
			return false
		}
	}
	return true
}

// TestAllowed: the account refuses what roles may not do.
func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		call
		want bool
	}{
		{call{function: "access", action: "lambda:InvokeFunction", resource: grantARN}, true},
		{call{function: "approval", action: "lambda:InvokeFunction", resource: grantARN}, false},
		{call{function: "slack", action: "dynamodb:GetItem", resource: tableARN, keys: []string{"run#1"}}, true},
		{call{function: "slack", action: "dynamodb:GetItem", resource: tableARN, keys: []string{"token#1"}}, false},
		{call{function: "slack", action: "dynamodb:DeleteItem", resource: tableARN, keys: []string{"run#1"}}, false},
		{call{function: "api", action: "dynamodb:BatchGetItem", resource: tableARN, keys: []string{"run#1", "grant#1"}}, false},
		{call{function: "sweep", action: "dynamodb:Query", resource: tableARN + "/index/due", keys: []string{"due"}}, true},
		{call{function: "sweep", action: "dynamodb:Query", resource: tableARN + "/index/kind", keys: []string{"run#"}}, false},
		{call{function: "standing", action: "dynamodb:PutItem", resource: tableARN, keys: []string{"user#1"}}, false},
		{call{function: "standing", action: "dynamodb:Query", resource: tableARN + "/index/status", keys: []string{"denied"}}, false},
		{call{function: "drift", action: "dynamodb:PutItem", resource: tableARN, keys: []string{"grant#1"}}, false},
		{call{function: "drift", action: "lambda:InvokeFunction", resource: grantARN}, false},
		{call{function: "api", action: "secretsmanager:GetSecretValue", resource: secretARN(signingSecret)}, false},
		{call{function: "sdk", action: "lambda:InvokeFunction", resource: reportARN}, true},
		{call{function: "sdk", action: "lambda:InvokeFunction", resource: functionARN("services")}, true},
		{call{function: "sdk", action: "lambda:InvokeFunction", resource: functionARN("access")}, false},
		{call{function: "sdk", action: "lambda:InvokeFunction", resource: functionARN("removal")}, false},
		{call{function: "removal", action: "lambda:InvokeFunction", resource: grantARN}, true},
		{call{function: "removal", action: "dynamodb:GetItem", resource: tableARN, keys: []string{"token#1"}}, false},
		{call{function: "sdk", action: "lambda:InvokeFunction", resource: grantARN}, false},
		{call{function: "sdk", action: "dynamodb:GetItem", resource: tableARN, keys: []string{"kv#x"}}, false},
		{call{function: "sdk", action: "secretsmanager:GetSecretValue", resource: secretARN(slackSecret)}, false},
		{call{function: "sdk", action: "secretsmanager:GetSecretValue", resource: secretARN(pagerdutySecret)}, true},
		{call{function: "services", action: "dynamodb:PutItem", resource: tableARN, keys: []string{"run#1"}}, false},
		{call{function: "services", action: "secretsmanager:GetSecretValue", resource: secretARN(pagerdutySecret)}, false},
		{call{function: "", action: "s3:GetObject", resource: "arn:aws:s3:::x/y"}, false},
	} {
		got, err := allowed(test.call)
		if err != nil || got != test.want {
			t.Errorf("%s: %t, %v; want %t", fmt.Sprint(test.function, " ", test.action, " on ", test.resource, test.keys), got, err, test.want)
		}
	}
}
