package internal_test

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// clients are the services of AWS whose clients each function links. A client
// more is some hundred KB that each cold start loads: a function that has no
// right to use a service (infra/roles.go) should not link its client.
var clients = map[string]string{
	"access":   "dynamodb eks iam identitystore kms lambda rdsdata scheduler secretsmanager sfn sqs ssoadmin sts", // sfn by runner/stepfn, which wraps its steps
	"api":      "dynamodb lambda s3 secretsmanager",
	"approval": "dynamodb lambda secretsmanager sfn",
	"client":   "", // one small binary for pipelines
	"config":   "dynamodb lambda secretsmanager",
	"deliver":  "dynamodb eventbridge firehose kinesis s3 secretsmanager sts",
	"drift":    "dynamodb eks iam identitystore kms rdsdata secretsmanager ssoadmin sts",
	"local":    "dynamodb eks eventbridge firehose iam identitystore kinesis kms lambda rdsdata s3 secretsmanager signin sso ssoadmin ssooidc sts", // for -real-lambdas and its commands
	"notify":   "dynamodb secretsmanager",
	"publish":  "dynamodb lambda s3 secretsmanager",
	"relay":    "dynamodb lambda secretsmanager sfn sqs",
	"report":   "dynamodb s3 secretsmanager",
	"services": "dynamodb secretsmanager",
	"slack":    "dynamodb lambda secretsmanager",
	"standing": "dynamodb secretsmanager",
	"sweep":    "dynamodb lambda secretsmanager sfn sqs",
	"tokens":   "dynamodb secretsmanager",

	"transparency": "dynamodb firehose s3 secretsmanager sqs",
}

func TestFunctionsLinkTheirOwnClients(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-f", `{{if eq .Name "main"}}{{.ImportPath}}{{range .Deps}} {{.}}{{end}}{{end}}`, "./functions/...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	linked := map[string]string{}
	for line := range strings.Lines(string(out)) {
		imports := strings.Fields(line)
		var services []string
		for _, i := range imports[1:] {
			if dir, service := path.Split(i); dir == "github.com/aws/aws-sdk-go-v2/service/" {
				services = append(services, service)
			}
		}
		slices.Sort(services)
		linked[path.Base(imports[0])] = strings.Join(services, " ")
	}
	for function, want := range clients {
		if got, ok := linked[function]; !ok || got != want {
			t.Errorf("functions/%s links the clients of %q, want %q", function, got, want)
		}
		delete(linked, function)
	}
	for function, services := range linked {
		t.Errorf("functions/%s links the clients of %q: list them here", function, services)
	}
}
