package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/lambdahost"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

// configure puts the configuration in force, and makes its functions ready. If it
// has faults, or lacks what live access needs, it is left alone: what was
// published last stays in force, so that access ends, and no new requests are
// taken. With nothing live, the faults are returned.
func (l *Local) configure(ctx context.Context, c core.Core, configured *catalog.Catalog, faults error) (*functions, lambdahost.Secrets, error) {
	if faults == nil {
		var functions *functions
		var secrets lambdahost.Secrets
		if functions, secrets, faults = l.publish(ctx, c, configured); faults == nil {
			return functions, secrets, nil
		}
	}
	_, live, err := l.liveIn(ctx)
	if err != nil || !live {
		return nil, nil, errors.Join(faults, err)
	}
	l.faults = faults
	l.options.Log.ErrorContext(ctx, "the configuration is not put in force: access that was granted ends as planned, and no new requests are taken until these faults are mended and this is started again", "faults", faults)
	// Should this fail, the log and /healthz tell it all the same.
	if err := c.Notices.Tell(ctx, "the configuration", "The configuration has faults and is not in force: the log and /healthz list them. Access that was granted ends as planned, and no new requests are taken until the faults are mended and Sym Flows is started again.", ""); err != nil {
		l.options.Log.WarnContext(ctx, "the error channel is not told of the faults", "error", err)
	}
	isolated, err := isolatedFlows(ctx, c)
	if err != nil {
		return nil, nil, errors.Join(faults, err)
	}
	kept, err := lambdahost.Restore(l.keptFunctions())
	if errors.Is(err, os.ErrNotExist) {
		kept, err = l.mapping()
	}
	if err != nil {
		// Strategies that call no function of this machine go on without.
		l.options.Log.ErrorContext(ctx, "the functions of this machine can't be read, and are not there", "error", err)
		kept = lambdahost.Config{}
	}
	return l.host(ctx, lambdahost.Options{Config: kept, KeepBuilt: true}, isolated, false)
}

// publish makes a configuration without faults the one in force, and keeps what
// else its live access will need.
func (l *Local) publish(ctx context.Context, c core.Core, configured *catalog.Catalog) (*functions, lambdahost.Secrets, error) {
	mapping, err := l.mapping()
	if err != nil {
		return nil, nil, err
	}
	for _, line := range unmapped(configured, mapping, l.options.RealLambdas) {
		l.options.Log.WarnContext(ctx, line)
	}
	functions, secrets, err := l.host(ctx, lambdahost.Options{Config: mapping}, configured.Isolated(), hasPython(configured))
	if err != nil {
		return nil, nil, err
	}
	by := flow.Author{By: flow.Operator, At: c.Clock.Now()}
	publish := workflow.Publish{Runs: c.Runs, Flows: c.Flows, Entities: c.Entities, Rights: builtin.Rights, Patience: c.Patience, By: by}
	if _, err = publish.Whole(ctx, configured.Configuration()); err == nil {
		err = c.Flows.PublishSettings(ctx, by, l.options.told())
	}
	if err != nil {
		return nil, nil, errors.Join(err, functions.here.Close())
	}
	if err := mapping.Save(l.keptFunctions()); err != nil {
		l.options.Log.WarnContext(ctx, "should the next start find faults, functions that it lacks are missing", "error", err)
	}
	return functions, secrets, nil
}

// isolatedFlows lists those of the published flows whose Python has a function of
// its own.
func isolatedFlows(ctx context.Context, c core.Core) (names []string, err error) {
	list, err := c.Flows.List(ctx)
	for _, summary := range list {
		f, err := c.Flows.Latest(ctx, summary.Name)
		if err != nil {
			return nil, err
		}
		if f.Isolated {
			names = append(names, f.Name)
		}
	}
	return names, err
}

// keptFunctions is the file that has local.yaml as it was published last.
func (l *Local) keptFunctions() string { return keptFunctionsIn(l.options.Data) }

func keptFunctionsIn(data string) string { return filepath.Join(data, "lambda", "functions.json") }

// closed returns why no new requests are taken; see workflow.Submit.
func (l *Local) closed() error {
	if l.faults != nil {
		return flow.Errorf(flow.CodeConfigFaulty, "No new requests are taken just now: the configuration of Sym Flows has faults, and those who run it have to mend them first. Access that was granted ends as planned")
	}
	return l.diskFull()
}

// healthz answers 200 if all is up, and 503 with what is not.
func (l *Local) healthz(w http.ResponseWriter, r *http.Request) {
	if _, err := l.Tokens.List(r.Context()); err != nil {
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
		return
	}
	if l.faults != nil {
		http.Error(w, "the configuration is not in force, and no new requests are taken; what was published last is there for access to end:\n"+l.faults.Error(), http.StatusServiceUnavailable)
		return
	}
	if err := l.refused.Err(); err != nil {
		http.Error(w, "Slack refuses us, so that nobody can be asked; access ends as planned, and Slack is asked again every half minute:\n"+err.Error(), http.StatusServiceUnavailable)
		return
	}
	if !l.reserve.Kept() {
		http.Error(w, fullNow+fullAdvice, http.StatusServiceUnavailable)
		return
	}
	if err := l.slackHealth.Err(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
