package app

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/lambdahost"
	awslambda "github.com/symflows/symflows/internal/strategy/awslambda/client"
	"github.com/symflows/symflows/internal/workflow"
)

// invokedBy are functions in AWS that answer by whom they are invoked.
type invokedBy string

func (i invokedBy) Invoke(context.Context, string, []byte) ([]byte, error) { return []byte(i), nil }
func (invokedBy) As(cfg aws.Config) workflow.Functions                     { return invokedBy(cfg.Region) }

// TestFunctions_As: what is in AWS is invoked by a role, and what local.yaml maps stays on
// this machine; where nothing is in AWS, all does.
func TestFunctions_As(t *testing.T) {
	t.Parallel()
	mapped := map[string]lambdahost.Function{"here": {}}
	f := &functions{mapped: mapped, away: invokedBy("us")}
	as := f.As(aws.Config{Region: "the role"}).(*functions)
	for by, f := range map[string]*functions{"us": f, "the role": as} {
		if got, err := f.Invoke(t.Context(), "elsewhere", nil); err != nil || string(got) != by {
			t.Errorf("invoked by %s, %v, want %s", got, err, by)
		}
	}
	if _, stays := as.mapped["here"]; !stays {
		t.Error("what is mapped is in AWS by a role")
	}
	if none := (&functions{mapped: mapped}); none.As(aws.Config{}) != workflow.Functions(none) {
		t.Error("there is something in AWS")
	}
	var _ awslambda.InAWS = invokedBy("")
}

// TestFunctions_NoPython: where there is nothing that runs handlers, whoever sends some by
// the configuration API hears why.
func TestFunctions_NoPython(t *testing.T) {
	t.Parallel()
	l := &Local{options: Options{SDK: t.TempDir(), Data: t.TempDir()}}
	t.Cleanup(func() { _ = l.Close() })
	f, _, err := l.host(t.Context(), lambdahost.Options{}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	f.away = invokedBy("somebody else's")
	if _, err := f.Invoke(t.Context(), sdkARN, nil); err == nil || !strings.Contains(err.Error(), "find the Python SDK") {
		t.Errorf("answered %v, want why there is no Python", err)
	}
}
