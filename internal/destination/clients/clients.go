// Package clients opens log destinations: a line each.
package clients

import (
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/destination"
	awsdestination "github.com/symflows/symflows/internal/destination/aws"
	"github.com/symflows/symflows/internal/destination/web"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Deps is what destinations send with. All is required.
type Deps struct {
	Web web.Deps
	// AWS is how AWS is called by rights of our own. It is asked when the first destination
	// of AWS is opened.
	AWS func() (aws.Config, error)
}

// Open gives what opens a destination. The error has flow.CodeStrategy for a type that
// this build does not know.
func Open(d Deps) workflow.OpenDestination {
	aws := awsdestination.Deps{Accounts: sync.OnceValues(func() (*account.Accounts, error) {
		cfg, err := d.AWS()
		if err != nil {
			return nil, &flow.Error{Code: flow.CodeUnavailable, Message: "there are no credentials for AWS here", Cause: err}
		}
		return &account.Accounts{AWS: cfg, Now: d.Web.Now}, nil
	})}
	openers := map[string]workflow.OpenDestination{
		destination.HTTP:          d.Web.Server,
		destination.Segment:       d.Web.Segment,
		destination.Datadog:       d.Web.Datadog,
		destination.Splunk:        d.Web.Splunk,
		destination.Firehose:      aws.Firehose,
		destination.KinesisStream: aws.KinesisStream,
		destination.S3:            aws.S3,
		destination.EventBridge:   aws.EventBridge,
	}
	return func(to flow.LogDestination) (workflow.Destination, error) {
		open, ok := openers[to.Type]
		if !ok {
			return nil, flow.Errorf(flow.CodeStrategy, "log destination %q is of type %q, which this build does not know", to.Name, to.Type)
		}
		return open(to)
	}
}
