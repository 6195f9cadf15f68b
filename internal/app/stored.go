package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/client"
	"github.com/symflows/symflows/internal/entity"
)

// storedAt is what tells of the configuration that the API of a deployment has stored.
type storedAt interface {
	Broken(context.Context) (events.BrokenList, error)
	Proposals(context.Context) (events.ProposalList, error)
}

// checkStored tells what waits for approval of the configuration that the API of a
// deployment has stored, and returns an error that lists what is broken of it: asked with a
// token that may configure, or with this shell's AWS credentials if there is none.
func checkStored(ctx context.Context, url, token string, out io.Writer) error {
	at, err := stored(ctx, url, token)
	if err != nil {
		return err
	}
	proposed, err := at.Proposals(ctx)
	if err != nil {
		return err
	}
	tellProposals(out, proposed)
	list, err := settledBroken(ctx, at.Broken, client.Sleep)
	if err != nil || len(list.Broken) == 0 {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "broken in the configuration that the API has stored: %d", len(list.Broken))
	for _, e := range list.Broken {
		stands := "what was in force before stays so"
		switch {
		case e.Ended:
			stands = "it takes no requests any more"
		case e.Kind == string(entity.KindLogDestination):
			stands = "it is sent no records"
		}
		fmt.Fprintf(&b, "\n%s %s, since %s: %s", strings.ReplaceAll(e.Kind, "_", " "), e.Name, e.Since.Format(time.RFC3339), stands)
		for _, fault := range e.Faults {
			b.WriteString("\n  " + fault)
		}
	}
	return errors.New(b.String())
}

func stored(ctx context.Context, url, token string) (storedAt, error) {
	if token != "" {
		address, err := client.Address(url)
		return client.New(address, token), err
	}
	signed, err := tokensAt(ctx, url)
	return signedStored{signed}, err
}

// signedStored asks with this shell's AWS credentials.
type signedStored struct{ *remoteTokens }

func (s signedStored) Broken(ctx context.Context) (list events.BrokenList, err error) {
	err = s.call(ctx, http.MethodGet, api.SignedEntitiesPath+"broken", nil, &list)
	return list, err
}

func (s signedStored) Proposals(ctx context.Context) (list events.ProposalList, err error) {
	err = s.call(ctx, http.MethodGet, api.SignedEntitiesPath+"proposals", nil, &list)
	return list, err
}

// tellProposals says what waits for approval.
func tellProposals(out io.Writer, list events.ProposalList) {
	for _, p := range list.Proposals {
		waits := "nobody has been asked yet"
		switch {
		case p.Trouble != "":
			waits = p.Trouble
		case p.RunID != "":
			waits = "asked for by the run " + p.RunID
		}
		fmt.Fprintf(out, "proposed by the token %s (%s, for %s), %d changes: %s\n", p.Token, p.Bot, p.Owner, len(p.Changes), waits)
		for _, c := range p.Changes {
			wider := ""
			if c.Wider {
				wider = " [wider]"
			}
			fmt.Fprintf(out, "  %s %s: %s%s\n", strings.ReplaceAll(c.Kind, "_", " "), c.Name, c.Change, wider)
			for _, line := range c.Lines {
				fmt.Fprintln(out, "    "+line)
			}
		}
	}
}

// looksAtBroken is how often, a second apart, it is asked for until all is heeded: flows
// are made of a change ten seconds later at the latest.
const looksAtBroken = 30

// settledBroken asks for what is broken until all changes are heeded, as right after an
// apply they are not.
func settledBroken(ctx context.Context, ask func(context.Context) (events.BrokenList, error), sleep func(context.Context, time.Duration) error) (events.BrokenList, error) {
	for range looksAtBroken {
		list, err := ask(ctx)
		if err != nil || !list.Pending {
			return list, err
		}
		if err := sleep(ctx, time.Second); err != nil {
			return list, err
		}
	}
	return events.BrokenList{}, fmt.Errorf("no flows have been made of the last changes of the configuration for %d seconds: wait until nobody applies any; should it stay so, the deployment's log says why", looksAtBroken)
}
