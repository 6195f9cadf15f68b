package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/destination/clients"
	"github.com/symflows/symflows/internal/destination/web"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

// lookAtDestinations is how often log destinations are looked at though nothing was
// logged: commands beside this process may have one sent again what it had.
const lookAtDestinations = time.Minute

// following wakes those who follow what is logged. The zero value wakes nobody.
type following struct {
	mu  sync.Mutex
	all []chan struct{}
}

// join gives a channel that gets something when there is more, until leave is called.
func (f *following) join() (woken <-chan struct{}, leave func()) {
	mine := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, mine)
	return mine, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.all = slices.DeleteFunc(f.all, func(other chan struct{}) bool { return other == mine })
	}
}

func (f *following) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, woken := range f.all {
		select {
		case woken <- struct{}{}:
		default: // it has not come to look since the last time
		}
	}
}

// followed are the lines of records on their way, which log destinations follow.
type followed struct {
	transparency.Lines
	by *following
}

// WriteLines implements [transparency.Lines].
func (f followed) WriteLines(ctx context.Context, lines [][]byte) error {
	defer f.by.wake() // they are in the log, whatever becomes of the lines
	return f.Lines.WriteLines(ctx, lines)
}

// deliver has the records of the log sent to the log destinations, beside everything else
// and each beside the others. How far each has come is kept in db, where it wakes none of
// the readers of changes.
func (l *Local) deliver(ctx context.Context, c core.Core, db store.Store, secrets strategy.Secrets) error {
	o := l.options
	d := c.Deliver(transparency.Reader{Files: l.Receipts.Files, Public: l.Receipts.Public}, clients.Open(clients.Deps{
		Web: web.Deps{Egress: o.egress(), Secrets: secrets, Now: o.Clock.Now},
		// The credentials of this machine, or AWS_ENDPOINT_URL's emulator.
		AWS: func() (aws.Config, error) { return awsconfig.LoadDefaultConfig(ctx) },
	}))
	d.Destinations = store.Destinations{Store: db}
	l.workers = append(l.workers, func(ctx context.Context) error {
		l.sendAll(ctx, d)
		return nil
	})
	return nil
}

// sending is what sends to a destination.
type sending struct {
	to  flow.LogDestination
	end func() // and waits until it has
}

// sendAll sends to each destination for as long as it is published as it is. That one was
// published, or is not any more, is logged as well.
func (l *Local) sendAll(ctx context.Context, d workflow.Deliver) {
	woken, leave := l.logged.join()
	defer leave()
	under := map[string]sending{}
	defer func() {
		for _, s := range under {
			s.end()
		}
	}()
	for ctx.Err() == nil {
		list, err := d.Destinations.List(ctx)
		if err != nil && ctx.Err() == nil {
			l.options.Log.ErrorContext(ctx, "the log destinations can't be read, and are in a minute", "error", err)
		}
		for key, s := range under {
			same := func(to flow.LogDestination) bool { return reflect.DeepEqual(to, s.to) }
			if err == nil && !slices.ContainsFunc(list, same) {
				s.end()
				delete(under, key)
			}
		}
		for _, to := range list {
			if _, ok := under[to.Key()]; !ok {
				under[to.Key()] = l.sendTo(ctx, d, to)
			}
		}
		select {
		case <-woken:
		case <-l.options.Clock.After(lookAtDestinations):
		case <-ctx.Done():
		}
	}
}

// sendTo begins to send to a destination.
func (l *Local) sendTo(ctx context.Context, d workflow.Deliver, to flow.LogDestination) sending {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	woken, leave := l.logged.join()
	go func() {
		defer close(ended)
		defer leave()
		for ctx.Err() == nil {
			pause := lookAtDestinations
			if stand := d.To(ctx, to); !stand.Due.IsZero() {
				pause = min(pause, max(0, stand.Due.Sub(l.options.Clock.Now())))
			}
			select {
			case <-woken:
			case <-l.options.Clock.After(pause):
			case <-ctx.Done():
			}
		}
	}()
	return sending{to, func() {
		cancel()
		<-ended
	}}
}

// destinations lists the log destinations of a deployment on this machine or in AWS, and has
// one sent again what it had.
func destinations(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	verb := "list"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		verb, args = args[0], args[1:]
	}
	set := flags("local destinations "+verb, out)
	at := placeFlags(set)
	from, names := int64(-1), 0
	switch verb {
	case "list":
	case "replay":
		names = 1
		set.Int64Var(&from, "from", from, "index of the first record of the log that is sent again (required): 0 is the first of all")
	default:
		return fmt.Errorf("destinations wants one of: list, replay")
	}
	given, err := leading(set, args, names)
	if err != nil {
		return err
	}
	db, err := at.open(ctx, settings)
	if err != nil {
		return err
	}
	defer db.Close()
	list := store.Destinations{Store: db.Store}
	if verb == "list" {
		return listDestinations(ctx, list, store.Log{Store: db.Store}, out)
	}
	if len(given) == 0 || from < 0 {
		return fmt.Errorf("say which, and from where: local destinations replay NAME -from INDEX")
	}
	name := given[0]
	to, err := list.Named(ctx, name)
	if err == nil {
		err = list.Replay(ctx, flow.Author{By: db.by, At: core.WallClock{}.Now()}, to, from)
	}
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no log destination %q: local destinations lists them", name)
	}
	if err == nil {
		fmt.Fprintf(out, "%s is sent the records from %d on again, within a minute\n", name, from)
	}
	return err
}

func listDestinations(ctx context.Context, destinations store.Destinations, log store.Log, out io.Writer) error {
	list, err := destinations.List(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintln(out, "there is no log destination")
		return nil
	}
	head, _, err := log.Head(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tTYPE\tNEXT\tBEHIND BY\tTOOK ONE\tREFUSED\tSTATE")
	var aside []string
	for _, to := range list {
		c, err := destinations.Cursor(ctx, to)
		if err != nil {
			return err
		}
		took, state := "never", "well"
		if !c.At.IsZero() {
			took = c.At.Format(time.RFC3339)
		}
		if !c.Failing.IsZero() {
			state = fmt.Sprintf("takes nothing since %s: %s", c.Failing.Format(time.RFC3339), c.Error)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%d\t%s\n", to.Among(list), to.Type, c.Next, max(0, head.Size-c.Next), took, c.Refused, state)
		for _, a := range c.Aside {
			aside = append(aside, fmt.Sprintf("%s refused record %d (%s) at %s: %s", to.Among(list), a.Index, a.ID, a.At.Format(time.RFC3339), a.Error))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, line := range aside {
		fmt.Fprintln(out, line)
	}
	return nil
}
