package app

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/sqlite"
)

// tokens manages the tokens of a deployment, on this machine or in AWS.
type tokens interface {
	Create(ctx context.Context, in events.CreateTokenInput) (events.CreatedToken, error)
	List(ctx context.Context) ([]events.Token, error)
	Revoke(ctx context.Context, id string) error
}

func token(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("token wants one of: create, list, revoke")
	}
	verb, args := args[0], args[1:]
	set := flags("local token "+verb, out)
	data := set.String("data", ".local", dataUsage)
	url := set.String("url", "", "instead of -data: URL of the API of a deployment in AWS (output ApiUrl), asked with this shell's AWS credentials")
	var act func(tokens) error
	switch verb {
	case "create":
		var in events.CreateTokenInput
		set.StringVar(&in.Bot, "bot", "", "name of the bot that the token stands for (required)")
		set.StringVar(&in.Label, "label", "", "what the token is for")
		set.StringVar(&in.Expires, "expires", "90d", "how long it is valid: a number and s, m, h, d or mo")
		if err := parse(set, args); err != nil {
			return err
		}
		if in.Bot == "" {
			return fmt.Errorf("-bot is missing: name the bot that the token stands for, such as -bot ci")
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
		act = func(tokens tokens) error {
			if err := tokens.Revoke(ctx, id); err != nil {
				return err
			}
			fmt.Fprintf(out, "token %s is revoked\n", id)
			return nil
		}
	default:
		return fmt.Errorf("token has no command %q: use create, list or revoke", verb)
	}
	if *url != "" {
		remote, err := tokensAt(ctx, *url)
		if err != nil {
			return err
		}
		return act(remote)
	}
	db, err := sqlite.Open(databaseFile(*data), time.Now)
	if err != nil {
		return err
	}
	defer db.Close()
	return act(storedTokens{store.Tokens{Store: db, Org: settings.Org, Now: core.WallClock{}.Now}})
}

// storedTokens are those of a deployment on this machine.
type storedTokens struct{ store store.Tokens }

func (s storedTokens) Create(ctx context.Context, in events.CreateTokenInput) (events.CreatedToken, error) {
	valid, err := flow.ParseDuration(in.Expires)
	if err != nil {
		return events.CreatedToken{}, err
	}
	value, t, err := s.store.Create(ctx, in.Bot, in.Label, valid)
	return events.CreatedToken{Value: value, Token: described(t)}, err
}

func (s storedTokens) List(ctx context.Context) ([]events.Token, error) {
	list, err := s.store.List(ctx)
	var out []events.Token
	for _, t := range list {
		out = append(out, described(t))
	}
	return out, err
}

func (s storedTokens) Revoke(ctx context.Context, id string) error { return s.store.Revoke(ctx, id) }

func described(t store.Token) events.Token {
	return events.Token{ID: t.ID, Bot: t.Bot, Label: t.Label, Created: &t.Created, Expires: &t.Expires}
}
