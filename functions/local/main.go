// Command local is the whole of Sym Flows in one process: what "make run"
// starts, and a few short commands beside it.
//
//	local [-listen ADDR] [-data DIR] [-flows DIR] [-sdk DIR] [-real-lambdas] [-checkpoints FOLDER|#CHANNEL]
//	    Serve until SIGTERM or SIGINT. State is under -data and survives kill -9.
//	    Slack is real if SLACK_APP_TOKEN and SLACK_BOT_TOKEN are set (Socket
//	    Mode), or SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET (HTTP); with none of
//	    them it is simulated, on a page at the listening address.
//
//	    A configuration with faults, or without what live access needs to be taken
//	    away, is an error; but while access is live, what was published last
//	    serves for it to end. New requests are then refused, and /healthz answers
//	    503 with the faults.
//
//	local check [-flows DIR] [-sdk DIR] [-static | -policy] [-url URL]
//	    Print all faults of the configuration; exit 1 if there are any. The first
//	    lines of its Python run, unless it is only to be read (-static). With
//	    -policy, the cases of its policy files are run as well; with -url, what is
//	    broken of the configuration that a deployment's API has stored is told, too.
//
//	local config export [-into DIR] [-hand-over] [-url URL]
//	local config import [-flows DIR] [-hand-over [-accept-loss]] [-url URL]
//	    Write what a deployment's configuration API has as files of flows/, none of which
//	    is overwritten, or say how Terraform goes on with what files have; with
//	    -hand-over, have that change hands in the next publish.
//
//	local doctor [-flows DIR] [-url URL] [-links] [-json] [-wait 5m]
//	    Ask the real Slack, with the tokens of the environment, what is missing:
//	    scopes, the connection, and the channels, groups and people that the flows
//	    name; exit 1 if anything is, or could not be found out.
//
//	local targets TYPE [-flows DIR] [-strategy NAME] [-dry-run] [-assume-role]
//	    Write down the targets that the strategies of a type find at their
//	    systems, as documents of kind target: in targets-<strategy>.yaml, in which
//	    what people have changed stays. Where there is no such strategy yet, flags
//	    say where to look: a flag for each setting (-help).
//
//	local try -flow NAME -as EMAIL [-event request] [-requester EMAIL] [-fields JSON] [-context JSON] [-invoke]
//	    Ask the handlers of a flow what they would do, and do none of it.
//
//	local explain -flow NAME -as EMAIL [-target NAME] [-fields JSON] [-at TIME] [-by api] [-directory FILE] [-about EMAIL]… [-json]
//	local explain -run ID [-at TIME] [-directory FILE] [-about EMAIL]… [-json] [-data DIR]
//	    Say what would come of a request, or why a run is where it is: who would be
//	    asked, who could approve and why, what would be granted until when, and what
//	    the record would say. It does none of it.
//
//	local diff -base REF|1.0.N|latest [-flows DIR] [-directory FILE] [-json | -markdown] [-data DIR | -outputs FILE]
//	    Say in plain words what the flows let happen that they did not before, and what
//	    not any more; exit 3 if anything gets wider, or may.
//
//	local token create -bot NAME -owner EMAIL [-flow NAME]… [-for EMAIL]… [-label TEXT] [-expires 90d] [-data DIR | -url URL]
//	local token list [-data DIR | -url URL]
//	local token set-owner ID EMAIL [-data DIR | -url URL]
//	local token revoke ID [-data DIR | -url URL]
//	    Manage the bot tokens of the Events API: here, or with AWS credentials
//	    those of the deployment whose API is at URL.
//
//	local identity list EMAIL [-data DIR | -url URL]
//	local identity set EMAIL -service TYPE [-service-id ID] -user-id ID [-data DIR | -url URL]
//	local identity delete EMAIL -service TYPE [-service-id ID] [-data DIR | -url URL]
//	    Say who somebody is in another system.
//
//	local user list [-data DIR | -url URL]
//	local user confirm EMAIL | -all [-data DIR | -url URL]
//	    List the Slack accounts that turned up behind addresses of others, and
//	    confirm that an address belongs to the new one; or all, as those of the
//	    same people in another workspace.
//
//	local runs [-requester EMAIL] [-approver EMAIL] [-target NAME] [-flow NAME] [-status STATUS] [-break-glass true]
//	           [-from DAY] [-to DAY] [-text TEXT] [-limit N] [-cursor CURSOR] [-json] [-data DIR | -url URL]
//	    List runs, the newest first, as GET /runs of the API does; from a deployment
//	    with the token in SYM_JWT.
//
//	local request|status|list|end|mcp
//	    Ask, wait and end by the API, as programs do; the comment of functions/client
//	    says how, and what the exit statuses are.
//
//	local slack-manifest [-url URL | -socket] [-steps] [-json]
//	    Print the manifest of the Slack app for a deployment, with the steps of
//	    Workflow Builder if they are wanted.
//
//	local standing confirm [-data DIR]
//	    End the access of people who were deactivated in Slack, so many at once that
//	    it was held back.
//
//	local audit verify LOG [-key KEY]… [-lines LINES] [-store DATA] [-checkpoint FILE]… [-max-silence 2h] [-progress FILE]
//	    Check the transparency log in a folder, or in a bucket (s3://bucket/prefix),
//	    and the records against it; exit 1 if anything is not as it was signed.
//
//	local audit prune LOG [-before DAY]
//	    Remove records of long ago from the log, as far as it has signed that they need
//	    not be kept.
//
//	local audit receipt FILE -key KEY
//	    Check offline what GET /runs/{id}/receipt gave.
//
//	local destinations [list] [-data DIR]
//	local destinations replay NAME -from INDEX [-data DIR]
//	    Say how far log destinations have been sent the records, and what they have
//	    refused; have one sent again what it had.
//
//	local redrive [-bucket NAME]
//	    Hand what the functions of a deployment in AWS gave up on to them again.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/symflows/symflows/internal/app"
	"github.com/symflows/symflows/internal/confine"
	"github.com/symflows/symflows/internal/terminal"
)

func main() {
	// Handlers and functions are strangers: they may not read our secrets from
	// our environment or memory.
	if err := confine.Hide(); err != nil {
		fmt.Fprintln(os.Stderr, "local: "+err.Error())
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app.Main(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "local: "+err.Error())
		stop()
		os.Exit(terminal.ExitStatus(err))
	}
}
