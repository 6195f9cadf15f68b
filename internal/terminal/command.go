// Package terminal has the commands by which people, pipelines and agents ask without Slack:
// request, status, list, end and mcp. They talk to the Events API of a deployment and to
// nothing else, so that they fit into one small binary.
//
//	command.go  the commands, and what they have in common
//	request.go  asks, and waits
//	status.go   how a run stands, and its end
//	runs.go     lists runs
//	mcp.go      serves agents tools
//	exit.go     what exit statuses say
package terminal

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/client"
)

// Names are the commands that there are.
var Names = []string{"request", "status", "list", "end", "mcp"}

// Usage has a line for each command.
const Usage = `  request -flow F [-field NAME=VALUE]… [-wait]  ask for access, or an approval; -help
  status [-wait] RUN                 tell how a run stands, or wait for its outcome
  list                               list runs that have live access, or by filters; -help
  end RUN                            withdraw a request, or end the access that came of it
  mcp                                serve an agent the same as tools, by standard input and output
`

// Environment names the variables that commands read where flags don't say it.
const (
	envURL   = "SYM_API_URL"
	envToken = "SYM_JWT"
)

// Command runs one of the commands. All fields are required but where it is said.
type Command struct {
	// Program is how people call it: "go run ./functions/local", "symflows".
	Program string
	Getenv  func(string) string
	In      io.Reader // of mcp only
	Out     io.Writer
	// Errors is where what is no result goes.
	Errors io.Writer
	// Client makes the client; nil stands for [client.New].
	Client func(address, token string) *client.Client
}

// Run runs the command that the first argument names. The error may have an exit status:
// [ExitStatus].
func (c Command) Run(ctx context.Context, args []string) error {
	var err error
	switch name, args := args[0], args[1:]; name {
	case "request":
		err = c.request(ctx, args)
	case "status":
		err = c.status(ctx, args)
	case "list":
		err = c.list(ctx, args)
	case "end":
		err = c.end(ctx, args)
	case "mcp":
		err = c.mcp(ctx, args)
	default:
		err = wrong("there is no command %q: use %s", name, strings.Join(Names, ", "))
	}
	if errors.Is(err, flag.ErrHelp) {
		return nil // the flag package has printed it
	}
	return err
}

// connection is what all commands have flags for.
type connection struct {
	url, tokenFile *string
	json           *bool
}

// flags makes a set of flags with those that all commands have.
func (c Command) flags(name, arguments string) (*flag.FlagSet, connection) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(c.Errors)
	set.Usage = func() {
		fmt.Fprintf(c.Errors, "Usage: %s %s [flags]%s\n", c.Program, name, arguments)
		set.PrintDefaults()
		if waits := set.Lookup("wait"); waits != nil {
			fmt.Fprint(c.Errors, exitUsage)
		}
	}
	return set, connection{
		url:       set.String("url", "", "URL of the deployment, or of its API (output ApiUrl; default: "+envURL+" of the environment)"),
		tokenFile: set.String("token-file", "", "file that has the token; without it, the token is "+envToken+" of the environment"),
		json:      set.Bool("json", false, "print JSON, a line each"),
	}
}

// parse reads flags, and arguments among them: n at most.
func parse(set *flag.FlagSet, args []string, n int) (given []string, err error) {
	for {
		if err := set.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, &Exit{Status: StatusUsage, Message: err.Error()}
		}
		if set.NArg() == 0 {
			return given, nil
		}
		if len(given) == n {
			return nil, wrong("%s takes no argument %q; -help tells what it takes", set.Name(), set.Arg(0))
		}
		given, args = append(given, set.Arg(0)), set.Args()[1:]
	}
}

// connect makes the client that the flags and the environment tell.
func (c Command) connect(f connection) (*client.Client, error) {
	given := cmp.Or(*f.url, c.Getenv(envURL))
	if given == "" {
		return nil, wrong("it is not said which deployment: give -url, or set %s; of make run that is http://127.0.0.1:8080", envURL)
	}
	address, err := client.Address(given)
	if err != nil {
		return nil, wrong("%s", err)
	}
	token := c.Getenv(envToken)
	if *f.tokenFile != "" {
		b, err := os.ReadFile(*f.tokenFile)
		if err != nil {
			return nil, wrong("the token can't be read: %v", err)
		}
		token = string(b)
	}
	if token = strings.TrimSpace(token); token == "" {
		return nil, wrong("there is no token: set %s, or give -token-file (local token create makes one, make run leaves one in .local/token)", envToken)
	}
	if strings.ContainsAny(token, " \t\r\n") {
		return nil, wrong("the token has blanks in it: give it as it was shown, alone")
	}
	if c.Client != nil {
		return c.Client(address, token), nil
	}
	return client.New(address, token), nil
}

// again is a command of ours that people may type after this one.
func (c Command) again(f connection, words ...string) string {
	all := append([]string{c.Program}, words[0])
	if *f.url != "" {
		all = append(all, "-url", *f.url)
	}
	if *f.tokenFile != "" {
		all = append(all, "-token-file", *f.tokenFile)
	}
	return strings.Join(append(all, words[1:]...), " ")
}

// clock writes times as commands print them.
func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// line makes one line of a text from elsewhere, without what would move a terminal's cursor
// or colour it.
func line(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return ' '
		}
		return c
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
