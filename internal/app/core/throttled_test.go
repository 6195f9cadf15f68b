package core

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/symflows/symflows/internal/config"
)

// TestThrottled: each attempt that is refused for the pace is told, though the call
// succeeds in the end; other errors are not, nor what a target's system refuses.
func TestThrottled(t *testing.T) {
	t.Parallel()
	var answers []string // codes of errors; "" is none
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := answers[0]
		answers = answers[1:]
		switch {
		case code == "":
			io.WriteString(w, "{}")
		case r.Header.Get("X-Amz-Target") == "":
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, "<ErrorResponse><Error><Code>"+code+"</Code></Error></ErrorResponse>")
		default:
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#`+code+`"}`)
		}
	}))
	defer server.Close()
	cfg, err := AWS(lambdaSets("AWS_ENDPOINT_URL", server.URL))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	var log bytes.Buffer
	tellThrottled(&cfg, &log, "sym-flows-relay")
	table := dynamodb.NewFromConfig(cfg)
	get := &dynamodb.GetItemInput{TableName: aws.String("t"), Key: map[string]types.AttributeValue{"key": &types.AttributeValueMemberS{Value: "k"}}}

	answers = []string{"ThrottlingException", "ProvisionedThroughputExceededException", ""}
	if _, err := table.GetItem(t.Context(), get); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("logged %q", lines)
	}
	for _, line := range lines {
		var said map[string]string
		if err := json.Unmarshal([]byte(line), &said); err != nil || said[config.MetricDimension] != "sym-flows-relay" || !strings.HasPrefix(said[config.HitchKey], "Throttled: DynamoDB GetItem. AWS refuses") || said["error"] == "" {
			t.Errorf("%v in %s", err, line)
		}
	}
	log.Reset()
	answers = []string{"ResourceNotFoundException"}
	if _, err := table.GetItem(t.Context(), get); err == nil {
		t.Error("there is no such table")
	}
	answers = []string{"Throttling", "Throttling", "Throttling"}
	if _, err := iam.NewFromConfig(cfg).ListUsers(t.Context(), nil); err == nil {
		t.Error("IAM has answered")
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", &log)
	}
}
