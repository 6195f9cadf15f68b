package app

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/workflow"
)

const outputsUsage = "instead of -data: what make deploy has written (cdk.out/outputs.json), for a deployment in AWS, with this shell's AWS credentials"

// place has the flags that say on which deployment a command works: one on this machine,
// or one in AWS, whose table it opens with this shell's credentials.
type place struct{ data, outputs *string }

// placeFlags adds them to those of a command.
func placeFlags(set *flag.FlagSet) place {
	return place{set.String("data", ".local", dataUsage), set.String("outputs", "", outputsUsage)}
}

func (p place) inAWS() bool { return *p.outputs != "" }

// output gives an output of the deployment in AWS.
func (p place) output(name string) (string, error) { return output(*p.outputs, name) }

// opened is the state of a deployment.
type opened struct {
	store.Store
	settings config.Settings // with the deployment's own name for everything, where it says it
	clock    workflow.Clock  // business time
	by       flow.Principal  // who works on it
	aws      aws.Config      // of a deployment in AWS
	Close    func() error
}

// open opens the state. Whoever gets it closes it.
func (p place) open(ctx context.Context, settings config.Settings) (opened, error) {
	if !p.inAWS() {
		db, err := openState(*p.data)
		if err != nil {
			return opened{}, err
		}
		clock, err := openClock(core.WallClock{}, *p.data)
		return opened{Store: db, settings: settings, clock: clock, by: flow.Operator, Close: db.Close}, err
	}
	table, err := p.output("TableName")
	if err != nil {
		return opened{}, err
	}
	if settings.Org, err = p.output("OrgName"); err != nil {
		return opened{}, fmt.Errorf("%w: deploy this release first", err)
	}
	cfg, by, err := caller(ctx)
	return opened{
		Store: dynamo.New(cfg, table, time.Now), settings: settings, clock: core.WallClock{}, by: by, aws: cfg, Close: func() error { return nil },
	}, err
}

// apiAt gives the URL of a deployment's API, by the flags -url or -outputs; "" if neither
// was given.
func apiAt(url, outputs string) (string, error) {
	if url != "" || outputs == "" {
		return url, nil
	}
	return output(outputs, "ApiUrl")
}
