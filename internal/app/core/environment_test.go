package core

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// lambdaSets are the variables that Lambda sets.
func lambdaSets(more ...string) func(string) string {
	env := map[string]string{"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIAROLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session"}
	for i := 0; i < len(more); i += 2 {
		env[more[i]] = more[i+1]
	}
	return func(name string) string { return env[name] }
}

// TestAWS: clients sign with the role's credentials, and call where they are
// pointed to.
func TestAWS(t *testing.T) {
	t.Parallel()
	calls := map[string]func(context.Context, aws.Config) error{
		"DYNAMODB": func(ctx context.Context, c aws.Config) error {
			_, err := dynamodb.NewFromConfig(c).ListTables(ctx, &dynamodb.ListTablesInput{})
			return err
		},
		"LAMBDA": func(ctx context.Context, c aws.Config) error {
			_, err := lambda.NewFromConfig(c).Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f")})
			return err
		},
		"SECRETS_MANAGER": func(ctx context.Context, c aws.Config) error {
			_, err := secretsmanager.NewFromConfig(c).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
			return err
		},
	}
	for service, call := range calls {
		for _, one := range []bool{true, false} {
			var signed http.Header
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				signed = r.Header
				io.WriteString(w, "{}")
			}))
			getenv := lambdaSets("AWS_ENDPOINT_URL", server.URL)
			if one {
				getenv = lambdaSets("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "AWS_ENDPOINT_URL_"+service, server.URL)
			}
			config, err := AWS(getenv)
			if err == nil {
				err = call(t.Context(), config)
			}
			if err != nil {
				t.Errorf("%s: %v", service, err)
			}
			if by := signed.Get("Authorization"); !strings.Contains(by, "Credential=AKIAROLE/") || !strings.Contains(by, "/eu-central-1/") || signed.Get("X-Amz-Security-Token") != "session" {
				t.Errorf("%s: signed %v", service, signed)
			}
			server.Close()
		}
	}
}

func TestAWS_incomplete(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if _, err := AWS(lambdaSets(name, "")); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
