// Command standing looks every few minutes at whether those who hold access are
// still in the workspace, and whether open requests are of a flow that there is.
// It can neither grant nor take away: it asks for that, and others do it. Besides, it lists
// runs of long ago by their targets and by who decided them. Who
// invokes it with {"confirm": true} says that it may end what it holds back.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/aws/aws-lambda-go/lambdacontext"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// input is the schedule's event, or what an admin sends.
type input struct {
	Source  string `json:"source"`
	Confirm bool   `json:"confirm"`
}

// output is for whoever waits for it.
type output struct {
	Confirmed int `json:"confirmed"` // people
	workflow.Looked
}

// invoker is whoever confirms: Lambda does not tell who invokes a function, and
// CloudTrail does, of functions whose data events it is to keep.
var invoker = flow.Principal{Kind: flow.PrincipalAWS, Name: "whoever may invoke this function"}

func main() { awslambda.Start(core.Start(build)) }

func build(ctx context.Context, d core.Deployed) (func(context.Context, input) (output, error), error) {
	s, err := d.Slack(ctx)
	if err != nil {
		return nil, err
	}
	standing, relist := d.Standing(s.Directory), d.Relist()
	return func(ctx context.Context, in input) (output, error) {
		var out output
		if in.Source != "aws.events" && !in.Confirm {
			return out, errors.New(`this is neither the schedule's event nor {"confirm": true}`)
		}
		defer relist.Look(ctx)
		var err error
		if in.Confirm {
			if out.Confirmed, err = d.Rounds.Confirm(ctx, flow.Author{By: invoker, At: d.Clock.Now()}); err != nil {
				return out, err
			}
		}
		if out.Looked, err = standing.Look(ctx); err != nil {
			return out, err // what it has not seen is not to be reported as well
		}
		return out, core.Report(os.Stdout, lambdacontext.FunctionName, d.Clock.Now(), map[string]int{
			config.CountHoldersAsked: out.Asked, config.FailureHoldersHeld: out.Held,
		})
	}, nil
}
