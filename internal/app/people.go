package app

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// people manages who people are, in a deployment on this machine or in AWS.
type people interface {
	Identities(ctx context.Context, email string) (events.IdentityList, error)
	SetIdentity(ctx context.Context, in events.Identity) error
	DeleteIdentity(ctx context.Context, in events.Identity) error
	Claims(ctx context.Context) (events.AddressClaims, error)
	Confirm(ctx context.Context, in events.ConfirmInput) (events.AddressClaims, error)
}

// peopleCommand has the flags that say which deployment is meant.
type peopleCommand struct {
	place
	set      *flag.FlagSet
	url      *string
	settings config.Settings
}

func newPeopleCommand(name string, settings config.Settings, out io.Writer) peopleCommand {
	set := flags(name, out)
	return peopleCommand{
		place: placeFlags(set), set: set, settings: settings,
		url: set.String("url", "", "instead of -data: URL of the API of a deployment in AWS (output ApiUrl), asked with this shell's AWS credentials"),
	}
}

// email reads the arguments: an e-mail address before the flags or after them,
// "" if there is none.
func (c peopleCommand) email(args []string) (string, error) {
	email := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		email, args = args[0], args[1:]
	}
	if err := c.set.Parse(args); err != nil {
		return "", err
	}
	if email == "" && c.set.NArg() == 1 {
		return c.set.Arg(0), nil
	}
	return email, noArguments(c.set)
}

// with calls act with the people of the deployment.
func (c peopleCommand) with(ctx context.Context, act func(people) error) error {
	url, err := apiAt(*c.url, *c.outputs)
	if err != nil {
		return err
	}
	if url != "" {
		remote, err := tokensAt(ctx, url)
		if err != nil {
			return err
		}
		return act(remotePeople{remote})
	}
	db, err := openState(*c.data)
	if err != nil {
		return err
	}
	defer db.Close()
	return act(storedPeople{api.People{Users: store.Users{Store: db, Keeper: true}, Org: c.settings.Org, Now: core.WallClock{}.Now}})
}

// identity is the command of that name.
func identity(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("identity wants one of: list, set, delete")
	}
	verb, args := args[0], args[1:]
	c := newPeopleCommand("local identity "+verb, settings, out)
	var in events.Identity
	var act func(people) error
	switch verb {
	case "list":
		act = func(p people) error {
			list, err := p.Identities(ctx, in.Email)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SERVICE\tSERVICE ID\tUSER ID\tSOURCE\tAT")
			for _, i := range list.Identities {
				source, when := "saved by "+i.SavedBy, cmp.Or(i.SavedAt, i.FoundAt)
				if i.FoundBy != "" {
					source = "found by strategy " + i.FoundBy + " in the system's directory"
				}
				at := ""
				if when != nil {
					at = when.Format(time.RFC3339)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", i.Service, i.ServiceID, i.UserID, source, at)
			}
			return w.Flush()
		}
	case "set":
		c.set.StringVar(&in.UserID, "user-id", "", "who the person is there (required)")
		act = func(p people) error {
			if err := p.SetIdentity(ctx, in); err != nil {
				return err
			}
			fmt.Fprintf(out, "%s is %s at %s %s\n", in.Email, in.UserID, in.Service, in.ServiceID)
			return nil
		}
	case "delete":
		act = func(p people) error {
			if err := p.DeleteIdentity(ctx, in); err != nil {
				return err
			}
			fmt.Fprintf(out, "nothing is stored of who %s is at %s %s\n", in.Email, in.Service, in.ServiceID)
			return nil
		}
	default:
		return fmt.Errorf("identity has no command %q: use list, set or delete", verb)
	}
	if verb != "list" {
		c.set.StringVar(&in.Service, "service", "", "type of the system: that of the strategy or integration, such as aws_sso (required)")
		c.set.StringVar(&in.ServiceID, "service-id", "", "which one of that type: external_id of the integration")
	}
	var err error
	if in.Email, err = c.email(args); err != nil {
		return err
	}
	if in.Email == "" {
		return fmt.Errorf("identity %s wants the person's e-mail address", verb)
	}
	if verb != "list" && in.Service == "" {
		return fmt.Errorf("-service is missing: name the type of the system, such as -service aws_sso")
	}
	if verb == "set" && in.UserID == "" {
		return fmt.Errorf("-user-id is missing: say who %s is there", in.Email)
	}
	return c.with(ctx, act)
}

// user is the command of that name.
func user(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("user wants one of: list, confirm")
	}
	verb, args := args[0], args[1:]
	c := newPeopleCommand("local user "+verb, settings, out)
	switch verb {
	case "list":
		if err := parse(c.set, args); err != nil {
			return err
		}
		return c.with(ctx, func(p people) error {
			list, err := p.Claims(ctx)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "EMAIL\tNAME\tACCOUNT\tFORMER\tSINCE")
			for _, x := range list.Claims {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", x.Email, x.Name, x.Account, x.Former, x.Since.Format(time.RFC3339))
			}
			return w.Flush()
		})
	case "confirm":
		all := c.set.Bool("all", false, "confirm all accounts that wait for it, as those of the same people: your workspace was moved")
		email, err := c.email(args)
		if err != nil {
			return err
		}
		if (email == "") != *all {
			return fmt.Errorf("user confirm wants an e-mail address, or -all: user list shows those that wait")
		}
		return c.with(ctx, func(p people) error {
			list, err := p.Confirm(ctx, events.ConfirmInput{Email: email, All: *all})
			if err != nil {
				return err
			}
			for _, x := range list.Claims {
				fmt.Fprintf(out, "%s belongs to %s now, and not to %s\n", x.Email, x.Account, x.Former)
			}
			if len(list.Claims) == 0 {
				fmt.Fprintln(out, "nobody waits to be confirmed")
			}
			return nil
		})
	}
	return fmt.Errorf("user has no command %q: use list or confirm", verb)
}

// storedPeople are those of a deployment on this machine.
type storedPeople struct{ api.People }

func (s storedPeople) SetIdentity(ctx context.Context, in events.Identity) error {
	return s.People.SetIdentity(ctx, in, flow.Operator)
}

func (s storedPeople) DeleteIdentity(ctx context.Context, in events.Identity) error {
	return s.People.DeleteIdentity(ctx, in, flow.Operator)
}

func (s storedPeople) Confirm(ctx context.Context, in events.ConfirmInput) (events.AddressClaims, error) {
	return s.People.Confirm(ctx, in, flow.Operator)
}

// remotePeople are those of a deployment in AWS.
type remotePeople struct{ *remoteTokens }

func (r remotePeople) Identities(ctx context.Context, email string) (out events.IdentityList, err error) {
	err = r.call(ctx, http.MethodGet, "/identities?email="+url.QueryEscape(email), nil, &out)
	return out, err
}

func (r remotePeople) SetIdentity(ctx context.Context, in events.Identity) error {
	var out events.Identity
	return r.call(ctx, http.MethodPut, "/identities", in, &out)
}

func (r remotePeople) DeleteIdentity(ctx context.Context, in events.Identity) error {
	var out events.Identity
	return r.call(ctx, http.MethodDelete, "/identities", in, &out)
}

func (r remotePeople) Claims(ctx context.Context) (out events.AddressClaims, err error) {
	err = r.call(ctx, http.MethodGet, "/users", nil, &out)
	return out, err
}

func (r remotePeople) Confirm(ctx context.Context, in events.ConfirmInput) (out events.AddressClaims, err error) {
	err = r.call(ctx, http.MethodPost, "/users", in, &out)
	return out, err
}
