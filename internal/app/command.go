package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/terminal"
)

// Main is the local command; args are without the program's name. The comment
// of functions/local says what it does.
func Main(ctx context.Context, args []string, getenv func(string) string, out, logs io.Writer) error {
	settings, err := config.Read(getenv)
	if err != nil {
		return err
	}
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	switch name {
	case "serve":
		err = serve(ctx, args, settings, out, logs)
	case "check":
		err = check(ctx, args, settings, getenv, out)
	case "doctor":
		err = doctor(ctx, args, settings, out, logs)
	case "targets":
		err = targets(ctx, args, settings, out)
	case "try":
		err = try(ctx, args, settings, out)
	case "diff":
		err = diffCommand(ctx, args, settings, out)
	case "config":
		err = configCommand(ctx, args, getenv, out)
	case "explain":
		err = explain(ctx, args, settings, out)
	case "token":
		err = token(ctx, args, settings, out)
	case "standing":
		err = standing(ctx, args, out)
	case "drift":
		err = drift(ctx, args, settings, out)
	case "identity":
		err = identity(ctx, args, settings, out)
	case "runs":
		err = showRuns(ctx, args, settings, getenv, out)
	case "report":
		err = reportCommand(ctx, args, settings, out)
	case "user":
		err = user(ctx, args, settings, out)
	case "erase":
		err = erase(ctx, args, settings, out)
	case "audit":
		err = auditCommand(ctx, args, out)
	case "destinations":
		err = destinations(ctx, args, settings, out)
	case "redrive":
		err = redriven(ctx, args, out)
	case "recover":
		err = recovers(ctx, args, out)
	case "slack-manifest":
		err = manifest(args, out)
	case "request", "status", "list", "end", "mcp":
		err = terminal.Command{Program: "go run ./functions/local", Getenv: getenv, In: os.Stdin, Out: out, Errors: logs}.Run(ctx, append([]string{name}, args...))
	default:
		return fmt.Errorf("there is no command %q: use none (to serve), check, config, doctor, targets, try, explain, diff, token, identity, user, runs, report, erase, standing, drift, audit, destinations, redrive, recover, slack-manifest; or, to ask as programs do, request, status, list or end", name)
	}
	if errors.Is(err, flag.ErrHelp) {
		return nil // the flag package has printed it
	}
	return err
}

// flags makes a set whose usage goes where the command's output goes.
func flags(name string, out io.Writer) *flag.FlagSet {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(out)
	return set
}

// parse reads the arguments of a command that takes flags only.
func parse(set *flag.FlagSet, args []string) error {
	if err := set.Parse(args); err != nil {
		return err
	}
	return noArguments(set)
}

func noArguments(set *flag.FlagSet) error {
	if set.NArg() > 0 {
		return fmt.Errorf("%s takes no argument %q", set.Name(), set.Arg(0))
	}
	return nil
}

const (
	dataUsage  = "folder of the state"
	flowsUsage = "folder of the configuration"
	sdkUsage   = "folder of the Python side of flows (default functions/sdk of the repository)"
)

// usage stands before the flags of serving.
const usage = `Usage of local:
  local [flags]                      serve until stopped
  local check [-flows DIR] [-static] find the faults of the configuration; -policy: run its policy tests as well; -url: those of what the API has stored, too
  local config export|import         write what the configuration API has as files of flows/, and hand it over, or back; -help after each
  local doctor [-flows DIR]          find out what Slack lacks of what the flows need, with the real tokens
  local targets TYPE                 write down the targets that strategies of a type find; -help after it
  local try -flow F -as EMAIL        ask a flow's handlers what they would do; -help
  local explain -flow F -as EMAIL    say what would come of a request, or why a run (-run ID) is where it is; -help
  local diff -base REF|1.0.N|latest  say what a change of the flows lets happen that was not before; -help
  local token create|list|set-owner|revoke  manage the API's tokens; -help after each
  local identity list|set|delete     say who somebody is in another system; -help after each
  local user list|confirm            confirm that an address belongs to another Slack account now
  local runs                         list runs by person, approver, flow, target, status, time; -help
  local report -month 2026-11        print the report of a month, as a page (-html) or JSON (-json)
  local erase EMAIL                  replace a person by a pseudonym in what is closed; -help
  local standing confirm             end access that was held back because many are gone at once
  local drift [-now]                 show where targets differ from what was granted
  local audit verify LOG             check that the record is as it was signed; audit receipt FILE: offline, that of one run;
                                     audit prune LOG: remove records of long ago from the log
  local destinations                 say how far log destinations have been sent the record; replay: send it again
  local slack-manifest               print the manifest of the Slack app
  local redrive                      handle what functions in AWS gave up on again
  local recover -since TIME          put back access that the table lacks and the audit log tells of, so that it ends
  local request|status|list|end|mcp  ask, wait and end by the API, as programs do (make client: a binary of that); -help after each
`

func serve(ctx context.Context, args []string, settings config.Settings, out, logs io.Writer) error {
	set := flags("local", out)
	options := Options{Settings: settings, Clock: core.WallClock{}, Out: out}
	set.StringVar(&options.Listen, "listen", "127.0.0.1:8080", "address to serve on")
	set.StringVar(&options.Data, "data", ".local", dataUsage)
	set.StringVar(&options.Flows, "flows", "flows", flowsUsage)
	set.StringVar(&options.SDK, "sdk", "", sdkUsage)
	set.StringVar(&options.Owner, "owner", "", "e-mail address of whoever answers for the API's token that is left in -data; without it, a real workspace gets none, and the simulated one's is "+simulatedOwner+"'s")
	set.StringVar(&options.Checkpoints, "checkpoints", "", "folder on another disk or machine, or channel of Slack (#audit-log), that is sent the hourly checkpoint of the transparency log")
	set.Usage = func() {
		fmt.Fprint(out, usage)
		set.PrintDefaults()
	}
	set.BoolVar(&options.RealLambdas, "real-lambdas", false, "invoke functions that local.yaml does not map in AWS")
	if err := parse(set, args); err != nil {
		return err
	}
	options.Log = core.Logger(settings, logs)
	return Serve(ctx, options)
}

func check(ctx context.Context, args []string, settings config.Settings, getenv func(string) string, out io.Writer) error {
	set := flags("local check", out)
	dir := set.String("flows", "flows", flowsUsage)
	python := sdk.Here{}
	set.StringVar(&python.Dir, "sdk", "", sdkUsage)
	set.BoolVar(&python.Read, "static", false, "read Python and run none of it: for files that nobody has looked at yet")
	policies := set.Bool("policy", false, "run the cases of the policy files as well (*.policy.yaml; docs/policy.md)")
	data := set.String("data", ".local", dataUsage+", of whose tokens those without an owner are warned of")
	url := set.String("url", "", "URL of the API of a deployment (output ApiUrl), asked what is broken of the configuration that its API has stored, and what waits for approval: with the token in SYM_JWT, which may configure; without one, with this shell's AWS credentials, for tokens without an owner as well, instead of -data")
	if err := parse(set, args); err != nil {
		return err
	}
	if *policies && python.Read {
		return errors.New("-policy runs the flows' handlers, and -static runs nothing: leave one of them out")
	}
	var once sync.Once
	python.Bare = func(why error) { once.Do(func() { fmt.Fprintln(out, "warning: "+sdk.Unprotected(why)) }) }
	loaded, report := load(ctx, *dir, settings.Org, python)
	if err := report.Err(); err != nil {
		return err
	}
	for _, warning := range report.Warnings {
		fmt.Fprintln(out, "warning: "+warning.String())
	}
	lacks, err := checkMapped(loaded, *dir)
	if err != nil {
		return err
	}
	for _, line := range lacks {
		fmt.Fprintln(out, "warning: "+line)
	}
	token := getenv("SYM_JWT")
	if !python.Read && (*url == "" || token == "") { // what nobody has looked at yet is no deployment's
		if err := checkTokens(ctx, *data, *url, settings, out); err != nil {
			return err
		}
	}
	for _, f := range loaded.Flows {
		kind := "approval only"
		if !f.ApprovalOnly() {
			kind = fmt.Sprintf("access by %s, %d target", f.Strategy.Type, len(f.Strategy.Targets))
			if len(f.Strategy.Targets) != 1 {
				kind += "s"
			}
		}
		fmt.Fprintf(out, "flow %s: %s\n", f.Name, kind)
	}
	if *policies {
		o := Options{Settings: settings, Clock: core.WallClock{}, Flows: *dir, SDK: python.Dir}
		if err := checkPolicies(ctx, o, loaded, out); err != nil {
			return err
		}
	}
	if *url != "" && !python.Read {
		if err := checkStored(ctx, *url, token, out); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "no faults")
	return nil
}

// checkTokens warns of the tokens of a deployment that have no owner: of one in
// AWS if there is a URL, else of this machine, if there is any state.
func checkTokens(ctx context.Context, data, url string, settings config.Settings, out io.Writer) error {
	if _, err := os.Stat(databaseFile(data)); url == "" && err != nil {
		return nil
	}
	return withTokens(ctx, data, url, settings, func(tokens tokens) error {
		list, err := tokens.List(ctx)
		warnUnowned(list, out)
		return err
	})
}
