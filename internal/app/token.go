package app

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// tokens manages the tokens of a deployment, on this machine or in AWS.
type tokens interface {
	Create(ctx context.Context, in events.CreateTokenInput) (events.CreatedToken, error)
	List(ctx context.Context) ([]events.Token, error)
	SetOwner(ctx context.Context, id, owner string) error
	Revoke(ctx context.Context, id string) error
}

func token(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("token wants one of: create, list, set-owner, revoke")
	}
	verb, args := args[0], args[1:]
	set := flags("local token "+verb, out)
	at := placeFlags(set)
	url := set.String("url", "", "instead of -data: URL of the API of a deployment in AWS (output ApiUrl), asked with this shell's AWS credentials")
	var act func(tokens) error
	switch verb {
	case "create":
		var in events.CreateTokenInput
		set.StringVar(&in.Bot, "bot", "", "name of the bot that the token stands for (required, but for -agent)")
		agent := set.String("agent", "", "instead of -bot: name of an agent, who asks as itself for its owner, where flows let agents in, and sees nothing of others")
		set.IntVar(&in.AnHour, "an-hour", 0, fmt.Sprintf("with -agent: how often it may ask in an hour (default %d)", store.DefaultAgentLimits.AnHour))
		set.IntVar(&in.AtOnce, "at-once", 0, fmt.Sprintf("with -agent: how many of its requests may be open, or have live access, at once (default %d)", store.DefaultAgentLimits.AtOnce))
		set.StringVar(&in.Label, "label", "", "what the token is for")
		set.StringVar(&in.Owner, "owner", "", "e-mail address of the person who answers for the token, and can't approve what is asked for with it (required)")
		set.Func("flow", "name of a flow that it may start; give it once for each (default all)", func(name string) error {
			in.Flows = append(in.Flows, name)
			return nil
		})
		set.Func("for", "e-mail address of a person whom it may ask for, or \"nobody\" (but the bot itself); give it once for each (default everybody)", func(email string) error {
			in.People = append(in.People, email)
			return nil
		})
		set.BoolVar(&in.Drift, "drift", false, "it may see where targets differ from what was granted (GET /drift)")
		set.BoolVar(&in.Config, "config", false, "it may read and change the configuration (as Sym's Terraform provider does)")
		set.StringVar(&in.Expires, "expires", "90d", "how long it is valid: a number and s, m, h, d or mo")
		if err := parse(set, args); err != nil {
			return err
		}
		switch {
		case *agent != "" && in.Bot != "":
			return fmt.Errorf("-bot and -agent can't both be given: the token is a bot's or an agent's")
		case *agent != "":
			in.Bot, in.Agent = *agent, true
		case in.Bot == "":
			return fmt.Errorf("-bot is missing: name the bot that the token stands for, such as -bot ci; or the agent, such as -agent helper")
		}
		if in.Owner == "" {
			return fmt.Errorf("-owner is missing: give the e-mail address of the person who answers for the token, such as -owner you@example.com")
		}
		if len(in.People) == 1 && in.People[0] == "nobody" {
			in.People = []string{}
		}
		if _, err := flow.ParseDuration(in.Expires); err != nil {
			return fmt.Errorf("-expires: %w", err)
		}
		act = func(tokens tokens) error {
			t, err := tokens.Create(ctx, in)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\n\nThis is the only time that the token is shown. Its id is %s; it expires at %s.\n",
				t.Value, t.ID, t.Expires.Format(time.RFC3339))
			return nil
		}
	case "list":
		if err := parse(set, args); err != nil {
			return err
		}
		act = func(tokens tokens) error {
			list, err := tokens.List(ctx)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tBOT\tOWNER\tFLOWS\tFOR\tLABEL\tCREATED\tEXPIRES\tREVOKED")
			for _, t := range list {
				revoked := ""
				if t.RevokedAt != nil {
					revoked = t.RevokedAt.Format(time.RFC3339) + " by " + t.RevokedBy
				}
				people := listed(t.People, "everybody", "itself")
				if t.Agent {
					t.Bot, people = "agent "+t.Bot, "its owner"
				}
				fmt.Fprintln(w, strings.Join([]string{
					t.ID, t.Bot, cmp.Or(t.Owner, "nobody"), listed(t.Flows, "all", "none"), people,
					t.Label, t.Created.Format(time.RFC3339), t.Expires.Format(time.RFC3339), revoked,
				}, "\t"))
			}
			if err := w.Flush(); err != nil {
				return err
			}
			warnUnowned(list, out)
			return nil
		}
	case "set-owner":
		given, err := leading(set, args, 2)
		if err != nil {
			return err
		}
		if len(given) != 2 {
			return fmt.Errorf("token set-owner wants the token's id and the owner's e-mail address; token list shows the ids")
		}
		act = func(tokens tokens) error {
			if err := tokens.SetOwner(ctx, given[0], given[1]); err != nil {
				return err
			}
			fmt.Fprintf(out, "token %s is owned by %s\n", given[0], given[1])
			return nil
		}
	case "revoke":
		given, err := leading(set, args, 1)
		if err != nil {
			return err
		}
		if len(given) == 0 {
			return fmt.Errorf("token revoke wants the token's id; token list shows it")
		}
		act = func(tokens tokens) error {
			if err := tokens.Revoke(ctx, given[0]); err != nil {
				return err
			}
			fmt.Fprintf(out, "token %s is revoked\n", given[0])
			return nil
		}
	default:
		return fmt.Errorf("token has no command %q: use create, list, set-owner or revoke", verb)
	}
	where, err := apiAt(*url, *at.outputs)
	if err != nil {
		return err
	}
	return withTokens(ctx, *at.data, where, settings, act)
}

// withTokens calls act with the tokens of a deployment: in AWS if there is a URL.
func withTokens(ctx context.Context, data, url string, settings config.Settings, act func(tokens) error) error {
	if url != "" {
		remote, err := tokensAt(ctx, url)
		if err != nil {
			return err
		}
		return act(remote)
	}
	db, err := openState(data)
	if err != nil {
		return err
	}
	defer db.Close()
	return act(storedTokens{store.Tokens{Store: db, Org: settings.Org, Now: core.WallClock{}.Now}})
}

// leading reads at most n arguments, which may stand before the flags, as people
// write them, or after them.
func leading(set *flag.FlagSet, args []string, n int) (given []string, err error) {
	for len(args) > 0 && len(given) < n && !strings.HasPrefix(args[0], "-") {
		given, args = append(given, args[0]), args[1:]
	}
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if len(given) == 0 && set.NArg() <= n {
		return set.Args(), nil
	}
	return given, noArguments(set)
}

// listed writes what a token is limited to.
func listed(names []string, all, none string) string {
	if names == nil {
		return all
	}
	return cmp.Or(strings.Join(names, ","), none)
}

// warnUnowned warns of tokens that were made before there were owners.
func warnUnowned(list []events.Token, out io.Writer) {
	for _, t := range list {
		if t.Owner == "" && t.RevokedAt == nil {
			fmt.Fprintf(out, "warning: token %s of bot %s has no owner, so that whoever holds it may approve what they ask for with it: token set-owner %[1]s <e-mail address>\n", t.ID, t.Bot)
		}
	}
}

// storedTokens are those of a deployment on this machine.
type storedTokens struct{ store store.Tokens }

func (s storedTokens) Create(ctx context.Context, in events.CreateTokenInput) (events.CreatedToken, error) {
	valid, err := flow.ParseDuration(in.Expires)
	if err != nil {
		return events.CreatedToken{}, err
	}
	value, t, err := s.store.Create(ctx, flow.Operator, api.TokenAskedFor(in), valid)
	return events.CreatedToken{Value: value, Token: api.TokenShown(t)}, err
}

func (s storedTokens) List(ctx context.Context) ([]events.Token, error) {
	list, err := s.store.List(ctx)
	var out []events.Token
	for _, t := range list {
		out = append(out, api.TokenShown(t))
	}
	return out, err
}

func (s storedTokens) SetOwner(ctx context.Context, id, owner string) error {
	_, err := s.store.SetOwner(ctx, flow.Operator, id, owner)
	return err
}

func (s storedTokens) Revoke(ctx context.Context, id string) error {
	return s.store.Revoke(ctx, flow.Operator, id)
}
