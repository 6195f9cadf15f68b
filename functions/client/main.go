// Command client asks for access and approvals from terminals and pipelines, by the
// Events API of a deployment: the commands request, status, list, end and mcp of
// functions/local, in a binary of their own. make client builds it as bin/symflows.
//
//	symflows request -flow NAME [-target NAME] [-duration 10m] [-field NAME=VALUE]… [-for EMAIL]
//	                 [-purpose TEXT] [-context NAME=VALUE]… [-start-at TIME] [-key KEY] [-wait] [-timeout 1h]
//	    Ask. Print the run's id; with -wait each change, until there is an outcome.
//
//	symflows status [-wait] [-timeout 1h] RUN
//	    Tell how a run stands, or wait for its outcome.
//
//	symflows list [filters]
//	    List runs, those that have live access unless filters are given.
//
//	symflows end RUN
//	    Withdraw a request, or end the access that came of it.
//
//	symflows mcp
//	    Serve an agent tools that do the same, by the Model Context Protocol on standard
//	    input and output, with the token of an agent.
//
// All take -url (or SYM_API_URL), -token-file (or the token in SYM_JWT) and -json. The
// exit status says the outcome: 0 granted, or approved where there is nothing to grant;
// 1 refused or not reached; 2 not written right; 3 denied; 4 expired; 5 failed; 6 timed
// out; 7 cancelled; 130 interrupted.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/symflows/symflows/internal/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 || os.Args[1] == "-help" || os.Args[1] == "--help" || os.Args[1] == "-h" {
		fmt.Fprintf(os.Stderr, "Usage of symflows:\n%s", terminal.Usage)
		os.Exit(terminal.StatusUsage)
	}
	err := terminal.Command{Program: "symflows", Getenv: os.Getenv, In: os.Stdin, Out: os.Stdout, Errors: os.Stderr}.Run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "symflows: "+err.Error())
	}
	os.Exit(terminal.ExitStatus(err))
}
