package app

import (
	"context"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
)

// inhabitants are those of a simulated workspace: those that are always there, and
// those that the flows in force name, so that requests arrive and somebody can decide
// them.
func inhabitants(ctx context.Context, flows *store.Flows) (slacksim.Inhabitants, error) {
	in := slacksim.DefaultInhabitants()
	list, err := flows.List(ctx)
	for _, summary := range list {
		f, err := flows.Latest(ctx, summary.Name)
		if err != nil {
			return in, err
		}
		in.Channel(f.Environment.ErrorChannel)
		for _, tier := range f.Params.Approval.Notify {
			in.Channel(tier.Channel)
			for _, email := range tier.Users {
				in.Person(email)
			}
		}
		for _, a := range f.Params.Approval.Approvers {
			if email, ok := strings.CutPrefix(a, "user:"); ok {
				in.Person(email)
			} else if handle, ok := strings.CutPrefix(a, "group:"); ok {
				in.Group(handle)
			}
		}
		for _, email := range f.Environment.Admins {
			in.Person(email)
		}
	}
	return in, err
}

// firstSteps tells newcomers what to do first in a simulated workspace, in mrkdwn:
// with an access flow of those in force, if there is one.
func firstSteps(ctx context.Context, flows *store.Flows, in slacksim.Inhabitants, command string) ([]string, error) {
	f, err := exampleFlow(ctx, flows)
	if err != nil {
		return nil, err
	}
	asker := in.People[0]
	if f == nil {
		return []string{"*There is no flow* that can be asked for in Slack: write one (docs/flows.md), and start Sym Flows again."}, nil
	}
	ask := "*As " + asker.Name + ",* send `" + command + " req " + f.Name + "` below, and fill in the form"
	for _, field := range f.Params.PromptFields {
		if field.Name == flow.FieldNameDuration && len(field.AllowedValues) > 0 {
			ask += ": the shortest time, " + field.AllowedValues[0] + ", is enough"
		}
	}
	return []string{ask + ".", decideStep(f, asker, in), watchStep(f)}, nil
}

// exampleFlow picks the flow that newcomers are shown: one that Slack may ask for,
// and that gives access, if there is any; nil if there is none.
func exampleFlow(ctx context.Context, flows *store.Flows) (*flow.Flow, error) {
	list, err := flows.List(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(f store.FlowSummary) bool { return !f.Allows(flow.ChannelSlack) })
	slices.SortStableFunc(list, func(a, b store.FlowSummary) int {
		switch {
		case a.ApprovalOnly == b.ApprovalOnly:
			return strings.Compare(a.Name, b.Name)
		case a.ApprovalOnly:
			return 1
		}
		return -1
	})
	if len(list) == 0 {
		return nil, nil
	}
	return flows.Latest(ctx, list[0].Name)
}

func decideStep(f *flow.Flow, asker slacksim.Profile, in slacksim.Inhabitants) string {
	where := "open the message that asks for it"
	if len(f.Handlers(flow.HandlerNotifications, flow.HandlerApprovers)) == 0 && len(f.Params.Approval.Notify) > 0 {
		where = "open the direct messages with Sym"
		if channel := f.Params.Approval.Notify[0].Channel; channel != "" {
			where = "open *" + channel + "*"
		}
	}
	for _, p := range in.People {
		if p.Email != asker.Email && decides(f, p, in) {
			return "*As " + p.Name + "* (switch at the top), " + where + ", and approve it."
		}
	}
	return "Nobody else of the people here may approve it, only whom its approvers name: " + strings.Join(f.Params.Approval.Approvers, ", ") + "."
}

// decides tells whether the configuration lets a person approve, so far as it says
// so without asking Python.
func decides(f *flow.Flow, p slacksim.Profile, in slacksim.Inhabitants) bool {
	if p.Guest || p.SingleChannel {
		return false
	}
	approvers := f.Params.Approval.Approvers
	return len(approvers) == 0 || slices.ContainsFunc(approvers, func(a string) bool {
		if email, ok := strings.CutPrefix(a, "user:"); ok {
			return strings.EqualFold(email, p.Email)
		}
		handle, _ := strings.CutPrefix(a, "group:")
		return in.Member(p, handle)
	})
}

func watchStep(f *flow.Flow) string {
	if f.ApprovalOnly() {
		return "*Watch* the audit records: each step is one."
	}
	return "*Watch* access come, and go when its time is over, under *Access right now*. Each step is an audit record."
}
