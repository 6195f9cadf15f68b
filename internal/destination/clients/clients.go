// Package clients opens log destinations: a line each.
package clients

import (
	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/destination/web"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Deps is what destinations send with. All is required.
type Deps struct {
	Web web.Deps
}

// Open gives what opens a destination. The error has flow.CodeStrategy for a type that
// this build does not know.
func Open(d Deps) workflow.OpenDestination {
	openers := map[string]workflow.OpenDestination{
		destination.HTTP:    d.Web.Server,
		destination.Segment: d.Web.Segment,
		destination.Datadog: d.Web.Datadog,
		destination.Splunk:  d.Web.Splunk,
	}
	return func(to flow.LogDestination) (workflow.Destination, error) {
		open, ok := openers[to.Type]
		if !ok {
			return nil, flow.Errorf(flow.CodeStrategy, "log destination %q is of type %q, which this build does not know", to.Name, to.Type)
		}
		return open(to)
	}
}
