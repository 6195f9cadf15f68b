package stepfn

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/runner"
)

const (
	machineARN = "arn:aws:states:us-east-1:123456789012:stateMachine:request"
	runID      = "0197f3c2-5b1e-4c7a-9d42-6f0e8a7b0000"
)

// runnerOf is a runner whose calls are answered with output or fault.
func runnerOf(t *testing.T, operation, input string, output any, fault *awstest.Fault) Runner {
	t.Helper()
	return Runner{StateMachineARN: machineARN, API: sfn.NewFromConfig(awstest.Config(t, awstest.Service(func(op string, in []byte) (any, error) {
		if op != operation || string(in) != input {
			t.Errorf("%s %s\nwant %s %s", op, in, operation, input)
		}
		if fault != nil {
			return nil, fault
		}
		return output, nil
	})))}
}

func TestRunnerStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault string
		code  string // of the error
	}{
		{"", ""},
		{"ExecutionAlreadyExists", ""},
		{"ThrottlingException", "ThrottlingException"},
		{"ExecutionLimitExceeded", "ExecutionLimitExceeded"},
		{"StateMachineDoesNotExist", "StateMachineDoesNotExist"},
	} {
		t.Run("Answer"+c.fault, func(t *testing.T) {
			t.Parallel()
			var fault *awstest.Fault
			if c.fault != "" {
				fault = &awstest.Fault{Status: http.StatusBadRequest, Code: c.fault, Message: "as documented"}
			}
			r := runnerOf(t, "StartExecution",
				`{"input":"{\"run\":\"`+runID+`\",\"attempt\":3}","name":"`+runID+`-3","stateMachineArn":"`+machineARN+`"}`,
				map[string]any{"executionArn": "arn:aws:states:us-east-1:123456789012:execution:request:" + runID + "-3", "startDate": 1772442000.5}, fault)
			if err := r.Start(t.Context(), runID, 3); code(err) != c.code || (err != nil) != (c.code != "") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRunnerResume(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault string
		gone  bool
	}{
		{"", false},
		{"TaskTimedOut", true},
		{"TaskDoesNotExist", true},
		{"InvalidToken", true},
		{"ThrottlingException", false},
		{"InvalidOutput", false},
	} {
		t.Run("Answer"+c.fault, func(t *testing.T) {
			t.Parallel()
			var fault *awstest.Fault
			if c.fault != "" {
				fault = &awstest.Fault{Status: http.StatusBadRequest, Code: c.fault, Message: "as documented"}
			}
			r := runnerOf(t, "SendTaskSuccess", `{"output":"{}","taskToken":"AAAAKgAAAAIAAAAA"}`, struct{}{}, fault)
			err := r.Resume(t.Context(), "AAAAKgAAAAIAAAAA")
			if errors.Is(err, runner.ErrGone) != c.gone || (err == nil) != (c.fault == "") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRunnerWithoutServer(t *testing.T) {
	t.Parallel()
	r := Runner{StateMachineARN: machineARN, API: sfn.NewFromConfig(awstest.Config(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	})))}
	if err := r.Start(t.Context(), runID, 1); err == nil {
		t.Error("an execution was started by nobody")
	}
	if err := r.Resume(t.Context(), "token"); err == nil || errors.Is(err, runner.ErrGone) {
		t.Errorf("got %v", err)
	}
}
