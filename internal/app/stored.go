package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/client"
	"github.com/symflows/symflows/internal/entity"
)

// checkStored returns an error that lists what is broken of the configuration that the API
// of a deployment has stored: asked with a token that may configure, or with this shell's
// AWS credentials if there is none.
func checkStored(ctx context.Context, url, token string) error {
	ask, err := askBroken(ctx, url, token)
	if err != nil {
		return err
	}
	list, err := settledBroken(ctx, ask, client.Sleep)
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

func askBroken(ctx context.Context, url, token string) (func(context.Context) (events.BrokenList, error), error) {
	if token != "" {
		address, err := client.Address(url)
		return client.New(address, token).Broken, err
	}
	signed, err := tokensAt(ctx, url)
	return func(ctx context.Context) (list events.BrokenList, err error) {
		err = signed.call(ctx, http.MethodGet, api.SignedEntitiesPath+"broken", nil, &list)
		return list, err
	}, err
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
