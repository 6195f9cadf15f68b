package functions_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// right is something that a function's role may do.
type right struct {
	line             string
	function, action string
	resource         *regexp.Regexp
	keys             []*leadingKey // of the table; nil is any
	asked            bool
}

// leadingKey is a pattern that a right is limited to.
type leadingKey struct {
	text    string
	pattern *regexp.Regexp
	asked   bool
}

// asking guards what rights and keys remember of being asked for.
var asking sync.Mutex

// reviewedRights are those of the deployment: infra's tests hold the template
// to this list, and these tests hold the functions to it.
var reviewedRights = sync.OnceValues(func() ([]*right, error) {
	text, err := os.ReadFile(filepath.Join("..", "infra", "testdata", "rights.txt"))
	if err != nil {
		return nil, err
	}
	names := strings.NewReplacer(
		"${AWS::Partition}", "aws", "${AWS::Region}", region, "${AWS::AccountId}", accountID,
		"${Table.Arn}", tableARN, "${SlackSecret}", secretARN(slackSecret), "${SlackSigningSecret}", secretARN(signingSecret),
		"${AuditStream.Arn}", arn("firehose", "deliverystream/"+auditStream), "${AdminStream.Arn}", arn("firehose", "deliverystream/"+adminStream), "${LogQueue.Arn}", arn("sqs", "sym-flows-records.fifo"), "${LogDeadLetters.Arn}", arn("sqs", "sym-flows-dead-records.fifo"),
		"${LogBucket.Arn}", "arn:aws:s3:::"+logBucket, "${AuditBucket.Arn}", "arn:aws:s3:::"+auditBucket, "${LogKey}", secretARN(logKey),
		"${Table.StreamArn}", streamARN, "${DeadLetterBucket.Arn}", deadLetterBucket,
		"${RemovalDeadLetters.Arn}", removalDeadLetters, "${ScheduleRole.Arn}", scheduleRole,
		"${GrantLooks.Arn}", arn("sqs", "sym-flows-grant-looks"), "${RemovalQueue.Arn}", arn("sqs", "sym-flows-removals"), "${SweepQueue.Arn}", arn("sqs", "sym-flows-sweep"),
	)
	var all []*right
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		named := logGroups.ReplaceAllStringFunc(names.Replace(line), func(logs string) string {
			return logGroupARN(strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(logs, "${"), "Logs.Arn}")))
		})
		m := rightLine.FindStringSubmatch(named)
		if m == nil {
			continue // of a role that no function has
		}
		r := &right{line: line, function: strings.ToLower(m[1]), action: m[2], resource: glob(m[3])}
		if m[4] != "" {
			for key := range strings.SplitSeq(m[4], " | ") {
				r.keys = append(r.keys, &leadingKey{text: key, pattern: glob(key)})
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

// logGroups are those of functions, as the list names them.
var logGroups = regexp.MustCompile(`\$\{\w+Logs\.Arn\}`)

// glob reads a pattern of a policy.
func glob(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`^` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern)) + `$`)
}

// allowed tells whether the function's role lets it make a call. It gives the
// right, and the leading keys of it, that do.
func allowed(c call) (*right, []*leadingKey, error) {
	rights, err := reviewedRights()
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rights {
		if r.function != folderOf(c.function) || r.action != c.action || !r.resource.MatchString(c.resource) {
			continue
		}
		if keys, ok := r.covers(c.keys); ok {
			return r, keys, nil
		}
	}
	return nil, nil, nil
}

// covers gives the patterns that match all keys of a call.
func (r *right) covers(keys []string) (matched []*leadingKey, ok bool) {
	for _, key := range keys {
		i := slices.IndexFunc(r.keys, func(k *leadingKey) bool { return k.pattern.MatchString(key) })
		if i >= 0 {
			matched = append(matched, r.keys[i])
		} else if r.keys != nil {
			return nil, false
		}
	}
	return matched, true
}

// permit remembers that a function needs what it has a right to, and tells
// whether it has one.
func permit(c call) (bool, error) {
	r, keys, err := allowed(c)
	if r == nil {
		return false, err
	}
	asking.Lock()
	defer asking.Unlock()
	r.asked = true
	for _, k := range keys {
		k.asked = true
	}
	return true, nil
}

// inItsName is a call that a service of AWS makes for a function, with its role:
// that the function never makes it does not mean that the role need not allow it.
func (a *account) inItsName(function, action, resource string) {
	c := call{function: function, action: action, resource: resource}
	if may, err := permit(c); err != nil || !may {
		a.t.Errorf("AWS can't do this for %s: %s on %s: %v", c.function, c.action, c.resource, err)
	}
}

// notAsked are rights which these tests can't see used: what AWS does for a
// function or a state machine where nothing tells that it does, and what takes
// more than these tests have (infra's TestRightsSuffice has it).
var notAsked = regexp.MustCompile(strings.Join([]string{
	`^ScheduleRole: sqs:SendMessage`,            // once Lambda has taken no invocation for a day
	`^WorkflowRole: `,                           // the interpreter has none
	`^UnansweredRole: `,                         // it is in the template: infra's tests run it
	`^SweepRole: (states:|dynamodb:PutItem)`,    // runs that relay has not driven for a while: time is real here
	`^SweepRole: .*: home#\*$`,                  // changes that come within seconds of each other: as above
	`^DriftRole: .* (run|notice)#\*$`,           // targets that can be read back, and differ
	`^DriftRole: .*: grant#\*$`,                 // as above
	`: (sick|limit|linger)#\*$`,                 // targets that don't answer, are asked too much, or keep what was taken away
	`: glass#\*$`,                               // emergencies
	`^ApiRole: dynamodb:GetItem .*: entity#\*$`, // requests by API of flows that the configuration API has made
	`^ConfigRole: dynamodb:PutItem .*: (flows#filter|destinations#current|notice#\*)$`, // a filter and log destinations made by API, and faults that last
	`^SweepRole: lambda:InvokeFunction .*:function:sym-flows-config$`,                  // calls of config that were lost: time is real here
	`^SlackRole: dynamodb:GetItem .* event#\*$`,                                        // an event that comes once more while it is being taken
	// Vendors other than the one of TestLooks.
	`^AccessRole: secretsmanager:GetSecretValue .*:secret:/sym/main/(aptible|boundary|github|postgres)\b`,
	`^DriftRole: secretsmanager:GetSecretValue .*:secret:/sym/main/(aptible|boundary|github|onelogin|postgres)\b`,
	`^(Api|Deliver)Role: s3:ListBucket on \$\{LogBucket\.Arn\}$`,             // files of the log that are not there
	`^TransparencyRole: s3:DeleteObject `,                                    // partial files, once 256 records have filled one
	`^DeliverRole: .* notice#\*$`,                                            // log destinations that take nothing for ten minutes
	`^DeliverRole: secretsmanager:GetSecretValue .*:secret:/sym/main/siem\b`, // its log destination takes no secret here
	`^ReportRole: dynamodb:(BatchGetItem .* stat|GetItem .* run)#\*$`,        // runs of earlier months that reached into the one that is reported
	`^StandingRole: dynamodb:PutItem .*: listed#\*$`,                         // runs of before there were listings
	`^StandingRole: dynamodb:PutItem .* notice#\*$`,                          // many who leave at once
	`^TokensRole: dynamodb:PutItem .*: users#moved$`,                         // a workspace that moved
	`^TransparencyRole: .*: (agent#\*|token#\*|identity#\*|user#\*|users#moved|flows#filter|flows#settings|standing#round|refusal#\*|act#\*|entity#\*)$`, // what administrators seldom do
	`^PublishRole: dynamodb:PutItem .*: flows#settings$`,                                // settings that change
	`^(ConfigRole: dynamodb:(Get|Put)Item|PublishRole: dynamodb:GetItem) .* cursor#\*$`, // log destinations that change hands
	// Accounts that were looked up lately are known for ten minutes: time is real here.
	`^(Approval|Services)Role: dynamodb:(Get|Put)Item .*: users#moved$`,
	`^(Approval|Services)Role: dynamodb:PutItem .* notice#\*$`,
	`^SlackRole: .*: refusal#\*$`, // a decision of somebody who may not decide
}, "|"))

// asked are the actions that there can be calls of in these tests: not those of
// systems to which strategies give access, nor the traces that the daemon beside a
// function sends.
var asked = regexp.MustCompile(`: (dynamodb|firehose|iam:PassRole|lambda|logs|s3|scheduler|secretsmanager|sqs|states)\b`)

// unneeded lists the rights of functions, and of what calls them, that nothing
// needed in all the tests of this package together, and leading keys alike.
func unneeded() (lines []string, err error) {
	rights, err := reviewedRights()
	asking.Lock()
	defer asking.Unlock()
	for _, r := range rights {
		if !r.asked {
			lines = append(lines, r.line)
			continue
		}
		for _, k := range r.keys {
			if !k.asked {
				lines = append(lines, r.line+": "+k.text)
			}
		}
	}
	return slices.DeleteFunc(lines, func(line string) bool { return notAsked.MatchString(line) || !asked.MatchString(line) }), err
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
		{call{function: "deliver", action: "dynamodb:PutItem", resource: tableARN, keys: []string{"cursor#lake"}}, true},
		{call{function: "deliver", action: "dynamodb:PutItem", resource: tableARN, keys: []string{"run#1"}}, false},
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
		got, _, err := allowed(test.call)
		if err != nil || (got != nil) != test.want {
			t.Errorf("%s: %v, %v; want it allowed: %t", fmt.Sprint(test.function, " ", test.action, " on ", test.resource, test.keys), got, err, test.want)
		}
	}
}
