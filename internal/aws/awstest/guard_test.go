package awstest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	fhtypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const reviewed = `# What each role may do
ARole: dynamodb:GetItem on ${Table.Arn} if dynamodb:LeadingKeys ForAllValues:StringLike run#* | flows#current
ARole: dynamodb:PutItem on ${Table.Arn} if dynamodb:LeadingKeys ForAllValues:StringLike run#*
ARole: dynamodb:BatchGetItem on ${Table.Arn} if dynamodb:LeadingKeys ForAllValues:StringLike run#*
ARole: dynamodb:Query on ${Table.Arn}/index/due if dynamodb:LeadingKeys ForAllValues:StringLike due
ARole: states:StartExecution on arn:aws:states:us-east-1:123456789012:stateMachine:sym-flows
ARole: states:SendTaskSuccess on arn:aws:states:us-east-1:123456789012:stateMachine:sym-flows
ARole: firehose:PutRecordBatch on arn:aws:firehose:us-east-1:123456789012:deliverystream/sym-flows
ARole: lambda:InvokeFunction on arn:aws:lambda:us-east-1:123456789012:function:report
ARole: secretsmanager:GetSecretValue on arn:aws:secretsmanager:us-east-1:123456789012:secret:/sym/okta-??????
ARole: sqs:SendMessage on arn:aws:sqs:us-east-1:123456789012:retries
ARole: scheduler:CreateSchedule on arn:aws:scheduler:us-east-1:123456789012:schedule/sym-flows/*
ARole: scheduler:DeleteSchedule on arn:aws:scheduler:us-east-1:123456789012:schedule/sym-flows/*
ARole: s3:GetObject on arn:aws:s3:::assets/flows.zip

# Who takes them on
ARole is taken on by lambda.amazonaws.com
`

// guarded gives the configuration of clients that call as a role, and the calls
// that were refused.
func guarded(t *testing.T, role string) (*Guard, aws.Config, func() []Call) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rights.txt")
	if err := os.WriteFile(file, []byte(reviewed), 0o644); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var refused []Call
	g := &Guard{
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) }),
		Refused: func(c Call, _ string) {
			mu.Lock()
			defer mu.Unlock()
			refused = append(refused, c)
		},
	}
	if err := g.ReadRights(file, map[string]string{"Table.Arn": "arn:aws:dynamodb:us-east-1:123456789012:table/sym"}); err != nil {
		t.Fatal(err)
	}
	cfg := Config(t, g)
	cfg.Credentials = credentials.NewStaticCredentialsProvider(role, "secret", "")
	return g, cfg, func() []Call {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(refused)
	}
}

func text(s string) dbtypes.AttributeValue { return &dbtypes.AttributeValueMemberS{Value: s} }

func TestGuard(t *testing.T) {
	t.Parallel()
	get := func(key string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, cfg aws.Config) error {
			_, err := dynamodb.NewFromConfig(cfg).GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("sym"), Key: map[string]dbtypes.AttributeValue{"key": text(key)}})
			return err
		}
	}
	put := func(key string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, cfg aws.Config) error {
			_, err := dynamodb.NewFromConfig(cfg).PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("sym"), Item: map[string]dbtypes.AttributeValue{
				"key": text(key), "rev": &dbtypes.AttributeValueMemberN{Value: "1"}, "body": &dbtypes.AttributeValueMemberB{Value: []byte("x")},
			}})
			return err
		}
	}
	batch := func(keys ...string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, cfg aws.Config) error {
			var asked []map[string]dbtypes.AttributeValue
			for _, k := range keys {
				asked = append(asked, map[string]dbtypes.AttributeValue{"key": text(k)})
			}
			_, err := dynamodb.NewFromConfig(cfg).BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]dbtypes.KeysAndAttributes{"sym": {Keys: asked}}})
			return err
		}
	}
	query := func(index, partition string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, cfg aws.Config) error {
			_, err := dynamodb.NewFromConfig(cfg).Query(ctx, &dynamodb.QueryInput{
				TableName: aws.String("sym"), IndexName: aws.String(index), KeyConditionExpression: aws.String("#partition = :partition"),
				ExpressionAttributeNames: map[string]string{"#partition": index}, ExpressionAttributeValues: map[string]dbtypes.AttributeValue{":partition": text(partition)},
			})
			return err
		}
	}
	invoke := func(arn string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, cfg aws.Config) error {
			_, err := lambda.NewFromConfig(cfg).Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(arn), Payload: []byte("not JSON")})
			return err
		}
	}
	secret := func(id string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, cfg aws.Config) error {
			_, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(id)})
			return err
		}
	}
	start := func(machine string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, cfg aws.Config) error {
			_, err := sfn.NewFromConfig(cfg).StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: aws.String(machine), Input: aws.String("{}")})
			return err
		}
	}
	unschedule := func(group string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, cfg aws.Config) error {
			_, err := scheduler.NewFromConfig(cfg).DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: aws.String("run"), GroupName: aws.String(group)})
			return err
		}
	}
	object := func(key string) func(context.Context, aws.Config) error {
		return func(ctx context.Context, cfg aws.Config) error {
			api := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
			_, err := api.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("assets"), Key: aws.String(key)})
			return err
		}
	}
	const (
		machine = "arn:aws:states:us-east-1:123456789012:stateMachine:"
		lambdas = "arn:aws:lambda:us-east-1:123456789012:function:"
	)
	for _, test := range []struct {
		name    string
		call    func(context.Context, aws.Config) error
		refused string // action and resource; "": allowed
	}{
		{name: "Get", call: get("run#1")},
		{name: "GetExactly", call: get("flows#current")},
		{name: "GetOther", call: get("grant#1"), refused: "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/sym"},
		{name: "GetNearly", call: get("flows#currently"), refused: "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/sym"},
		{name: "Put", call: put("run#1")},
		{name: "PutWhatMayBeRead", call: put("flows#current"), refused: "dynamodb:PutItem arn:aws:dynamodb:us-east-1:123456789012:table/sym"},
		{name: "Batch", call: batch("run#1", "run#2")},
		{name: "BatchWithOne", call: batch("run#1", "token#2"), refused: "dynamodb:BatchGetItem arn:aws:dynamodb:us-east-1:123456789012:table/sym"},
		{name: "Query", call: query("due", "due")},
		{name: "QueryOtherIndex", call: query("kind", "due"), refused: "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/sym/index/kind"},
		{name: "QueryOtherPartition", call: query("due", "token#"), refused: "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/sym/index/due"},
		{name: "Start", call: start(machine + "sym-flows")},
		{name: "StartOther", call: start(machine + "other"), refused: "states:StartExecution " + machine + "other"},
		{name: "Resume", call: func(ctx context.Context, cfg aws.Config) error {
			_, err := sfn.NewFromConfig(cfg).SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: aws.String("t"), Output: aws.String("{}")})
			return err
		}},
		{name: "Fail", call: func(ctx context.Context, cfg aws.Config) error {
			_, err := sfn.NewFromConfig(cfg).SendTaskFailure(ctx, &sfn.SendTaskFailureInput{TaskToken: aws.String("t")})
			return err
		}, refused: "states:SendTaskFailure "},
		{name: "Ship", call: func(ctx context.Context, cfg aws.Config) error {
			_, err := firehose.NewFromConfig(cfg).PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String("sym-flows"), Records: []fhtypes.Record{{Data: []byte("x")}}})
			return err
		}},
		{name: "Invoke", call: invoke(lambdas + "report")},
		{name: "InvokeOther", call: invoke(lambdas + "reporter"), refused: "lambda:InvokeFunction " + lambdas + "reporter"},
		{name: "SecretByName", call: secret("/sym/okta")},
		{name: "SecretByARN", call: secret("arn:aws:secretsmanager:us-east-1:123456789012:secret:/sym/okta-x9Y8z7")},
		{name: "SecretOther", call: secret("/sym/okta2"), refused: "secretsmanager:GetSecretValue arn:aws:secretsmanager:us-east-1:123456789012:secret:/sym/okta2-a1B2c3"},
		{name: "Send", call: func(ctx context.Context, cfg aws.Config) error {
			_, err := sqs.NewFromConfig(cfg).SendMessageBatch(ctx, &sqs.SendMessageBatchInput{
				QueueUrl: aws.String("https://sqs.us-east-1.amazonaws.com/123456789012/retries"),
				Entries:  []sqstypes.SendMessageBatchRequestEntry{{Id: aws.String("1"), MessageBody: aws.String("x")}},
			})
			return err
		}},
		{name: "Schedule", call: func(ctx context.Context, cfg aws.Config) error {
			_, err := scheduler.NewFromConfig(cfg).CreateSchedule(ctx, &scheduler.CreateScheduleInput{
				Name: aws.String("run"), GroupName: aws.String("sym-flows"), ScheduleExpression: aws.String("at(2030-01-01T00:00:00)"),
				FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
				Target:             &schedulertypes.Target{Arn: aws.String("a"), RoleArn: aws.String("r")},
			})
			return err
		}},
		{name: "Unschedule", call: unschedule("sym-flows")},
		{name: "UnscheduleOther", call: unschedule("default"), refused: "scheduler:DeleteSchedule arn:aws:scheduler:us-east-1:123456789012:schedule/default/run"},
		{name: "Object", call: object("flows.zip")},
		{name: "ObjectOther", call: object("state.zip"), refused: "s3:GetObject arn:aws:s3:::assets/state.zip"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, cfg, refused := guarded(t, "ARole")
			err := test.call(t.Context(), cfg)
			var got string
			for _, c := range refused() {
				got += c.Action + " " + c.Resource
			}
			if got != test.refused {
				t.Errorf("refused %q, not %q: %v", got, test.refused, err)
			}
			if denied := err != nil && strings.Contains(err.Error(), "AccessDenied"); denied != (test.refused != "") {
				t.Errorf("the caller got %v", err)
			}
			_, cfg, refused = guarded(t, "OtherRole")
			if test.call(t.Context(), cfg); len(refused()) != 1 || refused()[0].Role != "OtherRole" {
				t.Errorf("another role was refused %v", refused())
			}
		})
	}
}

func TestGuard_Unused(t *testing.T) {
	t.Parallel()
	g, cfg, _ := guarded(t, "ARole")
	before := len(g.Unused("ARole"))
	if _, err := sfn.NewFromConfig(cfg).SendTaskSuccess(t.Context(), &sfn.SendTaskSuccessInput{TaskToken: aws.String("t"), Output: aws.String("{}")}); err != nil {
		t.Fatal(err)
	}
	_, err := dynamodb.NewFromConfig(cfg).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("sym"), Key: map[string]dbtypes.AttributeValue{"key": text("run#1")}})
	if err != nil {
		t.Fatal(err)
	}
	if after := g.Unused("ARole"); !strings.HasSuffix(after[0], "run#* | flows#current: flows#current") {
		t.Errorf("of keys that no call had: %q", after[0])
	}
	if after := g.Unused("ARole"); before != 13 || len(after) != 12 || slices.ContainsFunc(after, func(s string) bool { return strings.Contains(s, "SendTaskSuccess") }) {
		t.Errorf("%d, then %q", before, after)
	}
}

func TestGuard_Unsigned(t *testing.T) {
	t.Parallel()
	_, cfg, refused := guarded(t, "ARole")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, *cfg.BaseEndpoint, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := cfg.HTTPClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest || len(refused()) != 1 {
		t.Errorf("%s, refused %v", answer.Status, refused())
	}
}

func TestGuard_ReadRights(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rights.txt")
	for content, want := range map[string]string{
		reviewed:  "${Table.Arn} has no value",
		"nothing": "lists no rights",
	} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := (&Guard{}).ReadRights(file, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v", err)
		}
	}
}

// TestGuard_Besides: what is done to several things must be allowed on each.
func TestGuard_Besides(t *testing.T) {
	t.Parallel()
	const instance, set, account = "arn:aws:sso:::instance/ssoins-1", "arn:aws:sso:::permissionSet/ssoins-1/ps-1", "arn:aws:sso:::account/111122223333"
	for _, missing := range []string{"", instance, set, account} {
		var rights strings.Builder
		for _, on := range []string{instance, set, account} {
			if on != missing {
				rights.WriteString("ARole: sso:CreateAccountAssignment on " + on + "\n")
			}
		}
		file := filepath.Join(t.TempDir(), "rights.txt")
		if err := os.WriteFile(file, []byte(rights.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		var g Guard
		if err := g.ReadRights(file, nil); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("X-Amz-Target", "SWBExternalService.CreateAccountAssignment")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=ARole/20260301/us-east-1/sso/aws4_request, SignedHeaders=host, Signature=00")
		c, err := callOf(r, []byte(`{"InstanceArn": "`+instance+`", "PermissionSetArn": "`+set+`", "TargetId": "111122223333"}`))
		if got := g.allows(c); err != nil || got != (missing == "") {
			t.Errorf("without %q: allowed %t, %v: %+v", missing, got, err, c)
		}
	}
}
