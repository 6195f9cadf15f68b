package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/sqlite"
)

// Main is the local command; args are without the program's name. What it
// does is told by the doc comment of functions/local.
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
		err = check(ctx, args, settings, out)
	case "try":
		err = try(ctx, args, settings, out)
	case "token":
		err = token(ctx, args, settings, out)
	default:
		return fmt.Errorf("there is no command %q: use none (to serve), check, try or token", name)
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
  local check [-flows DIR]           find the faults of the configuration
  local try -flow F -as EMAIL        ask a flow's handlers what they would do; -help
  local token create|list|revoke     manage the API's tokens; -help after each
`

func serve(ctx context.Context, args []string, settings config.Settings, out, logs io.Writer) error {
	set := flags("local", out)
	options := Options{Settings: settings, Clock: core.WallClock{}, Out: out}
	set.StringVar(&options.Listen, "listen", "127.0.0.1:8080", "address to serve on")
	set.StringVar(&options.Data, "data", ".local", dataUsage)
	set.StringVar(&options.Flows, "flows", "flows", flowsUsage)
	set.StringVar(&options.SDK, "sdk", "", sdkUsage)
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

func check(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	set := flags("local check", out)
	dir := set.String("flows", "flows", flowsUsage)
	python := set.String("sdk", "", sdkUsage)
	if err := parse(set, args); err != nil {
		return err
	}
	loaded, report := load(ctx, *dir, settings.Org, *python)
	if err := report.Err(); err != nil {
		return err
	}
	for _, warning := range report.Warnings {
		fmt.Fprintln(out, "warning: "+warning.String())
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
	fmt.Fprintln(out, "no faults")
	return nil
}

func token(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("token wants one of: create, list, revoke")
	}
	verb, args := args[0], args[1:]
	set := flags("local token "+verb, out)
	data := set.String("data", ".local", dataUsage)
	var act func(store.Tokens) error
	switch verb {
	case "create":
		bot := set.String("bot", "", "name of the bot that the token stands for (required)")
		label := set.String("label", "", "what the token is for")
		expires := set.String("expires", "90d", "how long it is valid: a number and s, m, h, d or mo")
		if err := parse(set, args); err != nil {
			return err
		}
		if *bot == "" {
			return fmt.Errorf("-bot is missing: name the bot that the token stands for, such as -bot ci")
		}
		valid, err := flow.ParseDuration(*expires)
		if err != nil {
			return fmt.Errorf("-expires: %w", err)
		}
		act = func(tokens store.Tokens) error {
			value, t, err := tokens.Create(ctx, *bot, *label, valid)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\n\nThis is the only time that the token is shown. Its id is %s; it expires at %s.\n",
				value, t.ID, t.Expires.Format(time.RFC3339))
			return nil
		}
	case "list":
		if err := parse(set, args); err != nil {
			return err
		}
		act = func(tokens store.Tokens) error {
			list, err := tokens.List(ctx)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tBOT\tLABEL\tCREATED\tEXPIRES")
			for _, t := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.ID, t.Bot, t.Label, t.Created.Format(time.RFC3339), t.Expires.Format(time.RFC3339))
			}
			return w.Flush()
		}
	case "revoke":
		// The id may stand before the flags, as people write it, or after them.
		id := ""
		if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			id, args = args[0], args[1:]
		}
		if err := set.Parse(args); err != nil {
			return err
		}
		if id == "" && set.NArg() == 1 {
			id = set.Arg(0)
		} else if err := noArguments(set); err != nil {
			return err
		}
		if id == "" {
			return fmt.Errorf("token revoke wants the token's id; token list shows it")
		}
		act = func(tokens store.Tokens) error {
			if err := tokens.Revoke(ctx, id); err != nil {
				return err
			}
			fmt.Fprintf(out, "token %s is revoked\n", id)
			return nil
		}
	default:
		return fmt.Errorf("token has no command %q: use create, list or revoke", verb)
	}
	db, err := sqlite.Open(databaseFile(*data), time.Now)
	if err != nil {
		return err
	}
	defer db.Close()
	return act(store.Tokens{Store: db, Org: settings.Org, Now: time.Now})
}
