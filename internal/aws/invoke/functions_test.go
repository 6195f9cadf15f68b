package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
	"github.com/symflows/symflows/internal/workflow/workflowtest"
)

const arn = "arn:aws:lambda:us-east-1:123456789012:function:report"

// clientOf invokes against a server that speaks Lambda's REST protocol.
func clientOf(t *testing.T, answer http.HandlerFunc) Functions {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return Functions{API: lambda.New(lambda.Options{
		BaseEndpoint: aws.String(server.URL), Region: "us-east-1", HTTPClient: server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		Retryer:     aws.NopRetryer{},
	})}
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		status  int
		headers map[string]string
		body    string
		want    string
		code    flow.Code
		message string
		after   time.Duration
		// timedOut says that it counts as a target which does not answer.
		timedOut bool
	}{
		{name: "Answer", status: 200, body: `{"rows":3}`, want: `{"rows":3}`},
		{
			name: "FunctionError", status: 200, headers: map[string]string{"X-Amz-Function-Error": "Unhandled"},
			body: `{"errorMessage":"no such table","errorType":"ValueError","stackTrace":["secret place"]}`,
			code: flow.CodeHandler, message: `function "report" failed: no such table`,
		},
		{
			name: "FunctionTimedOut", status: 200, headers: map[string]string{"X-Amz-Function-Error": "Unhandled"},
			body: `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 4711 Error: Task timed out after 3.00 seconds"}`,
			code: flow.CodeHandler, message: "timed out after 3.00 seconds", timedOut: true,
		},
		{
			name: "FunctionErrorWithoutReason", status: 200, headers: map[string]string{"X-Amz-Function-Error": "Unhandled"},
			body: `oops`, code: flow.CodeHandler, message: "gave no reason",
		},
		{
			name: "Throttled", status: 429, headers: map[string]string{"X-Amzn-ErrorType": "TooManyRequestsException"},
			body: `{"Reason":"ConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}`,
			code: flow.CodeUnavailable, message: "could not be reached",
		},
		{
			name: "AskedToWait", status: 429, headers: map[string]string{"X-Amzn-ErrorType": "TooManyRequestsException", "Retry-After": "7"},
			body: `{"Reason":"ReservedFunctionInvocationRateLimitExceeded","message":"Rate Exceeded."}`,
			code: flow.CodeUnavailable, message: "could not be reached", after: 7 * time.Second,
		},
		{
			name: "AskedToWaitLong", status: 429, headers: map[string]string{"X-Amzn-ErrorType": "TooManyRequestsException", "Retry-After": "99999999999"},
			code: flow.CodeUnavailable, after: flow.MaxRetryAfter,
		},
		{
			name: "AskedNonsense", status: 429, headers: map[string]string{"X-Amzn-ErrorType": "TooManyRequestsException", "Retry-After": "-1"},
			code: flow.CodeUnavailable,
		},
		{
			name: "ServiceFault", status: 500, headers: map[string]string{"X-Amzn-ErrorType": "ServiceException"},
			body: `{"message":"inner workings"}`, code: flow.CodeUnavailable, message: "could not be reached",
		},
		{
			name: "NoSuchFunction", status: 404, headers: map[string]string{"X-Amzn-ErrorType": "ResourceNotFoundException"},
			body: `{"message":"Function not found"}`, code: flow.CodeHandler, message: "does not exist",
		},
		{
			name: "NotAllowed", status: 403, headers: map[string]string{"X-Amzn-ErrorType": "AccessDeniedException"},
			body: `{"message":"not authorized"}`, code: flow.CodeHandler, message: "lambda_arns",
		},
		{
			name: "TooLarge", status: 413, headers: map[string]string{"X-Amzn-ErrorType": "RequestTooLargeException"},
			body: `{"message":"at most 6 MB"}`, code: flow.CodeHandler, message: "at most 6 MB",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); string(body) != `{"a":1}` {
					t.Errorf("payload %q", body)
				}
				if !strings.HasSuffix(r.URL.Path, "/invocations") || r.Header.Get("X-Amz-Invocation-Type") != "RequestResponse" {
					t.Errorf("%s %s, type %q", r.Method, r.URL, r.Header.Get("X-Amz-Invocation-Type"))
				}
				for k, v := range test.headers {
					w.Header().Set(k, v)
				}
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			})
			got, err := client.Invoke(t.Context(), arn, []byte(`{"a":1}`))
			if string(got) != test.want || flow.CodeOf(err) != test.code || errors.Is(err, context.DeadlineExceeded) != test.timedOut {
				t.Fatalf("got %q, %v", got, err)
			}
			if after := flow.AskedToWait(err); after != test.after {
				t.Errorf("asked to wait %s, want %s", after, test.after)
			}
			if err == nil {
				return
			}
			if shown := flow.UserMessage(err); !strings.Contains(shown, test.message) || strings.Contains(shown, "secret place") || strings.Contains(shown, "inner workings") {
				t.Errorf("people see %q", shown)
			}
		})
	}
}

func TestInvokeWithoutServer(t *testing.T) {
	t.Parallel()
	client := clientOf(t, func(_ http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := client.Invoke(t.Context(), arn, []byte(`{}`)); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

// TestInvoke_region: a function is invoked in its own region, for others know
// nothing of it.
func TestInvoke_region(t *testing.T) {
	t.Parallel()
	const elsewhere = "eu-central-1"
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		if signed := strings.Split(r.Header.Get("Authorization"), "/"); len(signed) < 3 || signed[2] != elsewhere {
			w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"message":"Functions from 'eu-central-1' are not reachable in this region ('us-east-1')"}`)
			return
		}
		io.WriteString(w, `{}`)
	})
	if _, err := client.Invoke(t.Context(), strings.Replace(arn, "us-east-1", elsewhere, 1), nil); err != nil {
		t.Error(err)
	}
}

// TestInvoke_host: without an address of its own, it is that region's service
// which is called.
func TestInvoke_host(t *testing.T) {
	t.Parallel()
	called := ""
	client := Functions{API: lambda.New(lambda.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""), Retryer: aws.NopRetryer{},
		HTTPClient: &http.Client{Transport: hosts(func(host string) { called = host })},
	})}
	if _, err := client.Invoke(t.Context(), strings.Replace(arn, "us-east-1", "eu-central-1", 1), nil); err == nil {
		t.Error("nobody answered")
	}
	if called != "lambda.eu-central-1.amazonaws.com" {
		t.Errorf("called %q", called)
	}
}

// hosts is told who is called, and answers nothing.
type hosts func(string)

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	h(r.URL.Host)
	return nil, io.ErrUnexpectedEOF
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	lambdas := workflowtest.Lambdas{Echo: arn + "-echo", Fails: arn + "-fails", Missing: arn + "-missing"}
	workflowtest.Functions(t, func(t *testing.T) (workflow.Functions, workflowtest.Lambdas) {
		return clientOf(t, func(w http.ResponseWriter, r *http.Request) {
			payload, err := io.ReadAll(r.Body)
			if err != nil {
				return // the client went away
			}
			switch path := r.URL.Path; {
			case strings.Contains(path, lambdas.Echo):
				fmt.Fprintf(w, `{"event":%s}`, payload)
			case strings.Contains(path, lambdas.Fails):
				var event struct{ Table string }
				if err := json.Unmarshal(payload, &event); err != nil {
					t.Error(err)
				}
				w.Header().Set("X-Amz-Function-Error", "Unhandled")
				fmt.Fprintf(w, `{"errorMessage":"no such table: %s","errorType":"ValueError","requestId":"1","stackTrace":["  File \"/var/task/handlers.py\", line 14, in fail\n"]}`, event.Table)
			default:
				w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
				w.WriteHeader(http.StatusNotFound)
				io.WriteString(w, `{"Type":"User","Message":"Function not found: `+lambdas.Missing+`"}`)
			}
		}), lambdas
	})
}

// refusing are credentials of a role that can't be assumed.
type refusing struct{}

func (refusing) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, flow.Errorf(flow.CodeStrategy, "the role can't be assumed")
}

// TestAs: a role invokes by itself, and what is wrong with it is said as it is.
func TestAs(t *testing.T) {
	t.Parallel()
	_, err := Functions{}.As(aws.Config{Region: "us-east-1", Credentials: refusing{}}).Invoke(t.Context(), arn, nil)
	if flow.CodeOf(err) != flow.CodeStrategy || flow.UserMessage(err) != "the role can't be assumed" {
		t.Errorf("got %v", err)
	}
}
