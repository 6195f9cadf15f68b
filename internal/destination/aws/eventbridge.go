package awsdestination

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Limits of a call, and of what an entry has besides its detail
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html).
const (
	busEntries = 10
	busBytes   = 256 << 10
)

// What rules match.
const (
	eventSource = "sym.audit"
	eventDetail = "Sym Audit Record"
)

// EventBridge opens a bus. The record is the detail of an event of source sym.audit.
func (d Deps) EventBridge(to flow.LogDestination) (workflow.Destination, error) {
	cfg, err := d.config(to)
	return &bus{eventbridge.NewFromConfig(cfg), to.Settings[destination.SettingEventBus]}, err
}

type bus struct {
	api  *eventbridge.Client
	name string
}

// Limits implements [workflow.Destination].
func (*bus) Limits() workflow.DestinationLimits {
	return workflow.DestinationLimits{Records: busEntries, Bytes: busBytes, Overhead: 200, Lanes: 1, Apart: true}
}

// refusedEntry are the codes of entries that are not taken however often they are sent.
var refusedEntry = []string{"MalformedDetail", "InvalidArgument", "InvalidAccountIdException"}

// Send implements [workflow.Destination].
func (b *bus) Send(ctx context.Context, records []workflow.Outgoing) error {
	what := named("event bus", b.name)
	in := &eventbridge.PutEventsInput{}
	for _, r := range records {
		in.Entries = append(in.Entries, types.PutEventsRequestEntry{
			EventBusName: &b.name, Source: aws.String(eventSource), DetailType: aws.String(eventDetail), Time: aws.Time(r.At),
			Detail: aws.String(string(r.Body)), Resources: []string{r.Run},
		})
	}
	out, err := b.api.PutEvents(ctx, in)
	if err != nil {
		return failure(err, what)
	}
	if len(out.Entries) != len(records) {
		return short(what, len(out.Entries), len(records))
	}
	failed := partly{}
	for i, answer := range out.Entries {
		code := aws.ToString(answer.ErrorCode)
		switch {
		case answer.EventId != nil:
		case slices.Contains(refusedEntry, code):
			failed[i] = flow.Errorf(flow.CodeInvalid, "%s refuses it: %s", what, code)
		case code == "NotAuthorizedForSourceException" || code == "NotAuthorizedForDetailTypeException" || code == "AccessDeniedException":
			failed[i] = flow.Errorf(flow.CodeStrategy, "%s does not allow source %s to be sent: change its policy", what, eventSource)
		default:
			failed.add(i, what, code)
		}
	}
	return failed.err()
}
