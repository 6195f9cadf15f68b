package awstest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// answered leaves out that those who speak XML can't read the server's answer.
func answered(err error) error {
	if _, unread := errors.AsType[*smithy.DeserializationError](err); unread {
		return nil
	}
	return err
}

// TestEndpointVariables: the clients that the adapters are given, made from the
// default configuration, can be pointed at an emulator, all at once or each by
// itself. (It sets variables, and so can't run beside others.)
func TestEndpointVariables(t *testing.T) {
	calls := map[string]func(context.Context, aws.Config) error{
		"AWS_ENDPOINT_URL_SFN": func(ctx context.Context, c aws.Config) error {
			_, err := sfn.NewFromConfig(c).SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: aws.String("t"), Output: aws.String("{}")})
			return err
		},
		"AWS_ENDPOINT_URL_SCHEDULER": func(ctx context.Context, c aws.Config) error {
			_, err := scheduler.NewFromConfig(c).DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: aws.String("n")})
			return err
		},
		"AWS_ENDPOINT_URL_FIREHOSE": func(ctx context.Context, c aws.Config) error {
			_, err := firehose.NewFromConfig(c).PutRecordBatch(ctx, &firehose.PutRecordBatchInput{
				DeliveryStreamName: aws.String("s"), Records: []firehosetypes.Record{{Data: []byte("d")}},
			})
			return err
		},
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": func(ctx context.Context, c aws.Config) error {
			_, err := secretsmanager.NewFromConfig(c).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
			return err
		},
		"AWS_ENDPOINT_URL_STS": func(ctx context.Context, c aws.Config) error {
			_, err := sts.NewFromConfig(c).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("r"), RoleSessionName: aws.String("s")})
			return answered(err)
		},
		"AWS_ENDPOINT_URL_IAM": func(ctx context.Context, c aws.Config) error {
			_, err := iam.NewFromConfig(c).RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: aws.String("g"), UserName: aws.String("u")})
			return answered(err)
		},
		"AWS_ENDPOINT_URL_EKS": func(ctx context.Context, c aws.Config) error {
			_, err := eks.NewFromConfig(c).ListClusters(ctx, &eks.ListClustersInput{})
			return err
		},
		"AWS_ENDPOINT_URL_LAMBDA": func(ctx context.Context, c aws.Config) error {
			_, err := lambda.NewFromConfig(c).Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f")})
			return err
		},
	}
	for variable, call := range calls {
		for _, name := range []string{variable, "AWS_ENDPOINT_URL"} {
			t.Run(variable+" by "+name, func(t *testing.T) {
				called := false
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					called = true
					io.WriteString(w, "{}")
				}))
				defer server.Close()
				t.Setenv(name, server.URL)
				t.Setenv("AWS_REGION", "us-east-1")
				t.Setenv("AWS_ACCESS_KEY_ID", "id")
				t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
				config, err := awsconfig.LoadDefaultConfig(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := call(t.Context(), config); err != nil || !called {
					t.Errorf("called: %t, %v", called, err)
				}
			})
		}
	}
}
