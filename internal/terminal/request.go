package terminal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// request asks, and waits for what comes of it if it is told to.
func (c Command) request(ctx context.Context, args []string) error {
	set, connection := c.flags("request", "")
	var in events.RequestInput
	inputs, said := map[string]any{}, map[string]string{}
	name := set.String("flow", "", "name of the flow (required)")
	target := set.String("target", "", "name of what access is asked for, as the flow has it, or its SRN")
	duration := set.String("duration", "", "for how long: a number and s, m, h, d or mo")
	set.Func("field", "NAME=VALUE of another field of the flow; give it once for each, and for each item of a list", assign(func(name, value string) {
		if before, given := inputs[name]; given {
			list, several := before.([]any)
			if !several {
				list = []any{before}
			}
			inputs[name] = append(list, value)
			return
		}
		inputs[name] = value
	}))
	set.Func("context", "NAME=VALUE that handlers may read and records keep, such as build=1234; give it once for each", assign(func(name, value string) { said[name] = value }))
	set.StringVar(&in.UserEmail, "for", "", "e-mail address of the person to ask for (default: the bot of the token)")
	set.StringVar(&in.Purpose, "purpose", "", "with an agent's token: what this is for, in a sentence")
	start := set.String("start-at", "", "when access is to start, such as 2026-03-02T09:00:00Z (default: once it is approved)")
	key := set.String("key", "", "makes the same request with the same key the same run, such as the id of a job (default: a new one each time)")
	wait, timeout := waiting(set)
	if _, err := parse(set, args, 0); err != nil {
		return err
	}
	if *name == "" {
		return wrong("-flow is missing: name the flow, such as -flow prod-access")
	}
	if *start != "" {
		at, err := time.Parse(time.RFC3339, *start)
		if err != nil {
			return wrong("-start-at must be a time such as 2026-03-02T09:00:00Z")
		}
		in.StartAt = &at
	}
	if *duration != "" {
		inputs[flow.FieldNameDuration] = *duration
	}
	if len(said) > 0 {
		b, err := json.Marshal(said)
		if err != nil {
			return err
		}
		in.Context = b
	}
	api, err := c.connect(connection)
	if err != nil {
		return err
	}
	detail, err := api.Flow(ctx, *name)
	if err != nil {
		return c.interrupted(ctx, err, "nothing was asked for yet")
	}
	in.FlowSRN, in.FlowInputs = detail.SRN, inputs
	if *target != "" {
		if inputs[flow.KeyTargetSRN], err = targetOf(detail, *target); err != nil {
			return err
		}
	}
	*key = cmp.Or(*key, uuid.NewString())
	began := api.Now()
	out, err := api.Request(ctx, in, *key)
	if err != nil {
		return c.interrupted(ctx, err, "the request may have been made: the same command with -key "+*key+" finds it, and asks for nothing twice")
	}
	if !*wait {
		if *connection.json {
			return json.NewEncoder(c.Out).Encode(out)
		}
		fmt.Fprintln(c.Out, out.RunID)
		return nil
	}
	if !*connection.json {
		fmt.Fprintln(c.Out, out.RunID)
	}
	return c.wait(ctx, api, connection, out.RunID, began.Add(*timeout))
}

// assign reads NAME=VALUE.
func assign(keep func(name, value string)) func(string) error {
	return func(given string) error {
		name, value, ok := strings.Cut(given, "=")
		if !ok || name == "" {
			return fmt.Errorf("write NAME=VALUE")
		}
		keep(name, value)
		return nil
	}
}

// targetOf finds a target of a flow by its SRN, name or label.
func targetOf(of events.FlowDetail, called string) (srn string, err error) {
	var schema struct {
		Properties struct {
			Target struct {
				OneOf []struct{ Const, Title string }
			} `json:"target_srn"`
		}
	}
	if err := json.Unmarshal(of.FlowInputs, &schema); err != nil {
		return "", err
	}
	var names []string
	for _, t := range schema.Properties.Target.OneOf {
		name := t.Const
		if n, err := flow.ParseSRN(t.Const); err == nil {
			name = n.Slug
		}
		if strings.EqualFold(called, t.Const) || strings.EqualFold(called, name) || called == t.Title {
			return t.Const, nil
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "", wrong("flow %q has no targets: leave -target out", of.Name)
	}
	return "", wrong("flow %q has no target %q, but %s", of.Name, called, strings.Join(names, ", "))
}
