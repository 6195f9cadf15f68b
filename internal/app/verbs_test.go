package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// verbs are the commands of the scripts, beside those of testscript. What they
// are for is told by testdata/script/README.md.
var verbs = map[string]verb{
	"start": func(p *product, _ *testscript.TestScript, args []string) (string, error) {
		return "", p.start(options(args))
	},
	"restart": func(p *product, _ *testscript.TestScript, args []string) (string, error) {
		if err := p.stop(); err != nil {
			return "", err
		}
		return "", p.start(options(args))
	},
	"as": as,
	// request is "as WHO /sym req FLOW", "fill" and "submit".
	"request": func(p *product, _ *testscript.TestScript, args []string) (string, error) {
		who := p.local.Slack.As(args[0])
		if err := who.Command("/sym req " + args[1]); err != nil {
			return "", err
		}
		if err := who.Fill(assignments(args[2:])); err != nil {
			return "", err
		}
		return "", errors.Join(who.Submit(), p.settle())
	},
	"see":    see,
	"at":     at,
	"target": tellTarget,
	"disk":   tellDisk,
	"access": func(p *product, _ *testscript.TestScript, _ []string) (string, error) {
		return p.target.access(), nil
	},
	"calls": func(p *product, _ *testscript.TestScript, _ []string) (string, error) {
		p.target.mu.Lock()
		defer p.target.mu.Unlock()
		return lines(p.target.calls), nil
	},
	"slack": tellSlack,
	// steps lists how the steps of workflows stand.
	"steps": func(p *product, _ *testscript.TestScript, _ []string) (string, error) {
		var list []string
		for _, s := range p.local.Slack.Steps() {
			list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s%s", s.Callback, s.State, s.Outputs["status"], s.Error)))
		}
		return lines(list), nil
	},
	"replay": replay,
	"api":    callAPI,
	"client": runClient,
	"audit":  audited,
	"acts":   acts,
	"record": showRecord,
	"runs":   runs,
	"local": func(p *product, ts *testscript.TestScript, args []string) (string, error) {
		// Should it serve instead of failing, it is not to do so for ever.
		ctx, cancel := context.WithTimeout(context.Background(), deadline.LastResort)
		defer cancel()
		var out bytes.Buffer
		args = here(ts, args)
		for i := range args {
			if i > 0 && (args[i-1] == "-run" || args[i-1] == "-url") {
				args[i] = p.unnamed(args[i])
			}
		}
		err := Main(ctx, args, ts.Getenv, &out, io.Discard)
		return out.String(), err
	},
	// take keeps what a group of an expression matches in the last output.
	"take": func(_ *product, ts *testscript.TestScript, args []string) (string, error) {
		found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
		if len(found) < 2 {
			return "", fmt.Errorf("no match for %s", args[1])
		}
		ts.Setenv(args[0], found[1])
		return "", nil
	},
	"serve": func(p *product, ts *testscript.TestScript, args []string) (string, error) {
		return p.serve(here(ts, args), ts.Getenv)
	},
	"shutdown": func(p *product, _ *testscript.TestScript, _ []string) (string, error) { return "", p.stop() },
}

// here makes the folders that flags name those of the script.
func here(ts *testscript.TestScript, args []string) []string {
	args = slices.Clone(args)
	for i := range args {
		if i > 0 && slices.Contains([]string{"-data", "-flows", "-outputs", "-directory", "-into"}, args[i-1]) {
			args[i] = ts.MkAbs(args[i])
		}
	}
	return args
}

func lines(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return strings.Join(list, "\n") + "\n"
}

// options reads what start is told: flows=DIR, without=sweep, without=schedule,
// config-approval=FLOW for changes by the configuration API, and patience=DURATION for a
// call of the target, which leases go by.
func options(args []string) func(*Options) error {
	return func(o *Options) (err error) {
		for _, arg := range args {
			switch name, value, _ := strings.Cut(arg, "="); name {
			case "flows":
				o.Flows = value
			case "without":
				switch value {
				case "sweep":
					o.seams.noSweep = true
				case "schedule":
					o.seams.schedule = func(s workflow.Schedule) workflow.Schedule { return deaf{s} }
				default:
					return fmt.Errorf("there is nothing called %q to be without", value)
				}
			case "config-approval":
				o.Settings.ConfigApproval = value
			case "patience":
				if o.seams.callTimeout, err = time.ParseDuration(value); err != nil {
					return err
				}
			default:
				return fmt.Errorf("start does not know %q", arg)
			}
		}
		return nil
	}
}

// as does something as a person at their Slack.
func as(p *product, _ *testscript.TestScript, args []string) (string, error) {
	who := p.local.Slack.As(args[0])
	args = args[1:]
	if len(args) > 2 && args[0] == "in" {
		who = who.In(args[1])
		args = args[2:]
	}
	out, err := act(p, who, args[0], args[1:])
	return out, errors.Join(err, p.settle())
}

func act(p *product, who slacksim.Person, what string, args []string) (string, error) {
	switch what {
	case "fill":
		return "", who.Fill(assignments(args))
	case "submit":
		return "", who.Submit()
	case "close":
		return "", who.Close()
	case "shortcut":
		return "", who.Shortcut("request")
	case "about": // the newest message that has the text: asks by its shortcut
		for _, m := range slices.Backward(who.Visible()) {
			if strings.Contains(m.Text, args[0]) {
				return "", who.MessageShortcut(m.TS, "about")
			}
		}
		return "", errors.New("there is no such message")
	case "step": // of a workflow that they start
		_, err := who.StartStep(args[0], "starter", assignments(args[1:]))
		return "", err
	case "scheduled-step": // of a workflow that nobody started, or Slack does not say who
		_, err := who.StartStep(args[0], "", assignments(args[1:]))
		return "", err
	case "say":
		return "", who.Say(p.unnamed(strings.Join(args, " ")))
	case "options":
		found, err := who.Options(args[0], args[1])
		return lines(found), err
	case "press":
		return "", onMessage(p, who, args[1:], func(ts string) error { return who.Click(ts, args[0]) })
	case "write":
		return "", onMessage(p, who, nil, func(ts string) error { return who.FillMessage(ts, assignments(args)) })
	}
	if strings.HasPrefix(what, "/") {
		return "", who.Command(p.unnamed(strings.Join(append([]string{what}, args...), " ")))
	}
	return "", fmt.Errorf("nobody can %q", what)
}

func assignments(args []string) map[string]string {
	fields := map[string]string{}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		fields[name] = strings.ReplaceAll(value, `\n`, "\n")
	}
	return fields
}

// onMessage does something to the newest message that it can be done to, of
// one run if that is named.
func onMessage(p *product, who slacksim.Person, run []string, do func(ts string) error) error {
	err := errors.New("there is no message")
	for _, m := range slices.Backward(who.Visible()) {
		if len(run) > 0 && !strings.Contains(p.local.Slack.RenderText(m), flow.ShortID(p.unnamed(run[0]))) {
			continue
		}
		if err = do(m.TS); err == nil {
			return nil
		}
	}
	return err
}

// see shows what a person sees: everything, one conversation, or their form.
func see(p *product, _ *testscript.TestScript, args []string) (string, error) {
	who := p.local.Slack.As(args[0])
	switch {
	case len(args) == 1:
		return who.Screen(), nil
	case args[1] == "form":
		return who.Modal(), nil
	case args[1] == "messages":
		return who.Inbox(), nil
	}
	return who.Channel(args[1]), nil
}

func at(p *product, _ *testscript.TestScript, args []string) (string, error) {
	offset, err := time.ParseDuration(args[0])
	if err != nil {
		return "", err
	}
	return "", p.at(offset)
}

func tellTarget(p *product, _ *testscript.TestScript, args []string) (string, error) {
	p.target.mu.Lock()
	defer p.target.mu.Unlock()
	p.target.mode, p.target.words = args[0], strings.Join(args[1:], " ")
	if !slices.Contains([]string{targetWell, targetFails, targetRefuses, targetHangs, targetLoses}, args[0]) {
		return "", fmt.Errorf("a target can't %q", args[0])
	}
	return "", nil
}

// tellSlack makes a method of Slack's API ("*" is any) go wrong until "ok":
// "fail METHOD ERROR", "limit METHOD SECONDS", "drop METHOD", "hold METHOD".
func tellSlack(p *product, _ *testscript.TestScript, args []string) (string, error) {
	var fault slacksim.Fault
	switch args[0] {
	case "ok":
		p.release()
		p.local.Slack.Heal()
		return "", p.settle()
	case "hold":
		p.hold(args[1])
		return "", nil
	case "deactivate", "reactivate":
		return "", p.local.Slack.Deactivate(args[1], args[0] == "deactivate")
	case "succeed":
		return "", p.local.Slack.Succeed(args[1], args[2])
	case "fail":
		fault.Error = args[2]
	case "limit":
		seconds, err := strconv.Atoi(args[2])
		if err != nil {
			return "", err
		}
		fault.RetryAfter = time.Duration(seconds) * time.Second
	case "drop":
		fault.DropAnswer = true
	default:
		return "", fmt.Errorf("Slack can't %q", args[0])
	}
	p.local.Slack.Inject(args[1], math.MaxInt, fault)
	return "", nil
}

// replay sends all that Slack has sent so far once more, to the last byte.
func replay(p *product, _ *testscript.TestScript, _ []string) (string, error) {
	var out []string
	for _, d := range p.local.Slack.Deliveries() {
		again := p.local.Slack.Redeliver(d)
		out = append(out, fmt.Sprintf("%s %d", again.Path, again.Status))
		if again.Err != nil {
			return lines(out), again.Err
		}
	}
	return lines(out), p.settle()
}

// callAPI sends a request with the token of data/token: METHOD PATH [FILE]
// [HEADER=VALUE …], and shows status and body.
func callAPI(p *product, ts *testscript.TestScript, args []string) (string, error) {
	method, path, args := args[0], args[1], args[2:]
	body := ""
	if len(args) > 0 && !strings.Contains(args[0], "=") {
		body, args = ts.ReadFile(args[0]), args[1:]
	}
	req, err := http.NewRequest(method, p.url+p.unnamed(path), strings.NewReader(p.unnamed(body)))
	if err != nil {
		return "", err
	}
	token, err := os.ReadFile(p.path(filepath.Join("data", "token")))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range assignments(args) {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, answer, "", "  ") != nil {
		pretty = *bytes.NewBuffer(answer)
	}
	if p.local != nil {
		err = p.settle()
	}
	return resp.Status + "\n" + pretty.String(), err
}

// audited shows the audit records, a line each: each event once, as it was
// recorded last, in the order of time.
func audited(p *product, _ *testscript.TestScript, _ []string) (string, error) {
	newest := map[string]events.AuditRecord{}
	for record, err := range p.local.Audit.Read(context.Background(), time.Time{}, time.Time{}) {
		if err != nil {
			return "", err
		}
		newest[p.nameOf(record.ID)] = record
	}
	order := slices.SortedFunc(maps.Keys(newest), func(a, b string) int {
		return cmp.Or(newest[a].Event.Timestamp.Compare(newest[b].Event.Timestamp), len(a)-len(b), cmp.Compare(a, b))
	})
	var out []string
	for _, name := range order {
		r := newest[name]
		line := fmt.Sprintf("%s %s %s by %s (%s) %s", r.ID, r.Event.Timestamp.Format(time.RFC3339), r.Event.Type, r.Actor.Name, r.Event.Channel, r.State.Status)
		for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
			value := r.Fields[name]
			switch v := value.(type) {
			case map[string]any:
				value = v["name"]
			case string:
				if name == "target_id" {
					continue // as good as the target
				}
			}
			text, err := json.Marshal(value)
			if err != nil {
				return "", err
			}
			line += fmt.Sprintf(" %s=%s", name, text)
		}
		if r.State.Attempts > 1 {
			line += fmt.Sprintf(" attempts=%d", r.State.Attempts)
		}
		if len(r.Output) > 0 {
			line += " output=" + string(r.Output)
		}
		out = append(out, line)
		for _, e := range r.State.Errors {
			out = append(out, "  "+e.Code+" "+e.Message)
		}
	}
	return lines(out), nil
}

// showRecord shows one audit record as it is.
func showRecord(p *product, _ *testscript.TestScript, args []string) (string, error) {
	for record, err := range p.local.Audit.Read(context.Background(), time.Time{}, time.Time{}) {
		if err != nil {
			return "", err
		}
		if record.ID == p.unnamed(args[0]) {
			record.Log = nil // it is of the ids, which differ from time to time
			b, err := json.MarshalIndent(record, "", "  ")
			return string(b) + "\n", err
		}
	}
	return "", fmt.Errorf("there is no record %s", args[0])
}

// acts shows the records of what administrators did, a line each, in the order in which
// they did it.
func acts(p *product, _ *testscript.TestScript, _ []string) (string, error) {
	newest := map[string]events.AdminRecord{}
	var order []string
	for record, err := range p.local.Admin.Read(context.Background(), time.Time{}, time.Time{}) {
		if err != nil {
			return "", err
		}
		if _, known := newest[record.ID]; !known {
			order = append(order, record.ID)
		}
		newest[record.ID] = record
	}
	var out []string
	for _, id := range order {
		r := newest[id]
		fields, err := json.Marshal(r.Fields)
		if err != nil {
			return "", err
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s by %s: %s %s", r.Event.Type, r.About.Kind, p.nameOf(cmp.Or(r.About.Name, r.About.ID)), r.Actor.Name, r.State.Status, fields)))
	}
	return lines(out), nil
}

// runs shows where each run stands, a line each.
func runs(p *product, _ *testscript.TestScript, _ []string) (string, error) {
	page, err := p.local.Runs.List(context.Background(), store.Query{By: store.ByKind, Limit: 200})
	if err != nil {
		return "", err
	}
	var out []string
	for _, r := range page.Runs {
		line := fmt.Sprintf("%s %s %s %s", p.nameOf(r.ID), r.Flow, r.Requester.Name, r.Status)
		if r.Access.Live() && !r.Access.End.IsZero() {
			line += " until " + r.Access.End.Format(time.RFC3339)
		}
		if r.Error != nil {
			line += fmt.Sprintf(": %s failed, %s", r.Error.Step, r.Error.Code)
			if !r.Error.RetryAt.IsZero() {
				line += ", again " + r.Error.RetryAt.Format(time.RFC3339)
			}
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return lines(out), nil
}
