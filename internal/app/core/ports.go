package core

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/services"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// ApprovalPorts is what Approval needs beside the store. All of it is required.
type ApprovalPorts struct {
	Directory       workflow.Directory
	Functions       workflow.Functions // of customers
	Handlers        workflow.Handlers
	Bound           workflow.CheckBound
	FunctionTimeout time.Duration // of one call of a customer's function
}

// AccessPorts is what Access needs beside the store. What is not tagged as
// optional is required.
type AccessPorts struct {
	Open        strategy.Opener
	Rights      func(flow.Strategy) strategy.Rights
	TargetType  func(flow.Strategy, flow.Target) strategy.TargetType
	Bound       workflow.CheckBound
	Handlers    workflow.Handlers
	Schedule    workflow.Schedule
	Remover     workflow.Remover
	Looks       workflow.Looks
	CallTimeout time.Duration // of the calls of a target for one entitlement in one attempt
	// Ahead is how much too early the schedule may fire; zero: it is exact.
	Ahead time.Duration `port:"optional"`
	// Within bounds those calls; nil: by the time of this machine.
	Within func(context.Context, time.Duration) (context.Context, context.CancelFunc) `port:"optional"`
}

// ServicesPorts is what Services needs beside the store. What is not tagged as
// optional is required.
type ServicesPorts struct {
	People workflow.Directory
	Slack  services.Slack
	// Secrets and Functions are nil where handlers have them from AWS.
	Secrets   services.Secrets   `port:"optional"`
	Functions workflow.Functions `port:"optional"`
}

// SlackPorts is what SlackApp needs beside the store. What is not tagged as
// optional is required.
type SlackPorts struct {
	API       *slack.Client
	Directory *slackapp.Directory
	Handlers  *sdk.Client // of forms, and of the list of flows
	Bound     workflow.CheckBound
	Explain   slackapp.Explain
	APIURL    string `port:"optional"` // where API asks if that is not Slack
	HandOn    slackapp.HandOn
	URL       string `port:"optional"` // at which people reach us, for links to runs
	// Closed says why no new requests are taken just now; nil: they always are.
	Closed func() error `port:"optional"`
}

// complete returns an error that names what is missing of the ports of a part:
// the fields that are nil or zero, and not tagged as optional.
func complete(part string, ports any) error {
	var missing []string
	v := reflect.ValueOf(ports)
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.Tag.Get("port") != "optional" && absent(v.Field(i)) {
			missing = append(missing, field.Name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%s can't be built: it lacks %s", part, strings.Join(missing, ", "))
}

// absent tells whether a port is nil, or an interface with a nil pointer in it.
func absent(port reflect.Value) bool {
	if port.Kind() == reflect.Interface && port.Elem().Kind() == reflect.Pointer {
		port = port.Elem()
	}
	return port.IsZero()
}
