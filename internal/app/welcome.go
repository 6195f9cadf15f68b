package app

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/slackapp"
)

// welcome prints what to do next.
func (l *Local) welcome(w io.Writer) {
	mode, _ := l.options.Settings.Slack.Mode() // checked when it was built
	switch mode {
	case config.Simulated:
		fmt.Fprintf(w, `
Sym Flows is up, with a simulated Slack. Open

    %s

%s`, l.URL, inPlain(l.guide))
	case config.SocketMode:
		fmt.Fprintf(w, "\nSym Flows is up, in your Slack workspace by Socket Mode. Type \"%s req\" there.\n", cmp.Or(l.options.Settings.Slack.Command, slackapp.OwnCommand))
	case config.HTTPMode:
		fmt.Fprintf(w, `
Sym Flows is up. Let Slack reach %s under a public address, and
set that as the app's request URLs: /slack/commands, /slack/interactions and,
for options, /slack/options.
`, l.URL)
	}
	if l.faults != nil {
		fmt.Fprintf(w, `
The configuration has faults, and no new requests are taken. Access that was
granted ends as planned. Mend these, and start again:

%s
`, l.faults)
	}
	token := "with the token in " + l.tokenFile()
	if _, err := os.Stat(l.tokenFile()); err != nil {
		token = "for tokens that \"token create\" makes"
	}
	fmt.Fprintf(w, `
The Events API is at %s/api/v1, %s.
State is in %s. Ctrl-C stops; nothing is lost.

`, l.URL, token, l.options.Data)
}

// inPlain writes the steps of the guide for a terminal, a line or more each.
func inPlain(steps []string) string {
	var out strings.Builder
	for i, s := range steps {
		fmt.Fprintf(&out, "%d. %s\n", i+1, strings.NewReplacer("*", "", "`", `"`, " below,", ",").Replace(s))
	}
	return out.String()
}
