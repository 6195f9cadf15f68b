package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/slacksim"
)

var (
	yamlBlock  = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	localLines = regexp.MustCompile(`(?m)^go run \./functions/local (.*)$`)
)

// TestFirstFlow does what docs/first-flow.md says, as somebody who has made the two
// channels, in a workspace that is simulated: its commands are run as they stand.
func TestFirstFlow(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/first-flow.md")
	if err != nil {
		t.Fatal(err)
	}
	flows := yamlBlock.FindSubmatch(guide)
	if flows == nil {
		t.Fatal("the guide has no flow")
	}
	s := newSurgery(t, strings.NewReplacer("T0123456789", "T0LOCAL").Replace(string(flows[1])), func(c *slacksim.Config) {
		c.People = append(slacksim.DefaultPeople(), slacksim.Profile{Name: "You", Email: "you@example.com"}, slacksim.Profile{Name: "Colleague", Email: "colleague@example.com"})
		c.Channels = append(slacksim.DefaultChannels(), slacksim.Channel{Name: "access", App: true})
	})
	ran := map[string]bool{}
	for _, line := range localLines.FindAllStringSubmatch(string(guide), -1) {
		args := strings.Fields(strings.ReplaceAll(line[1], "my-flows", s.flows))
		switch name := args[0]; name {
		case "slack-manifest", "check", "doctor":
			ran[name] = true
			if out, err := s.local(args); err != nil {
				t.Errorf("%s: %v\n%s", line[0], err, out)
			} else if strings.Contains(out, "warning") {
				t.Errorf("%s warns:\n%s", line[0], out)
			}
		default:
			ran["serve"] = strings.HasPrefix(name, "-flows")
		}
	}
	if !ran["slack-manifest"] || !ran["check"] || !ran["doctor"] || !ran["serve"] {
		t.Errorf("the guide does not run all of its commands: %v", ran)
	}

	// Serving takes a real workspace; the same flow in the simulated one.
	p := newProduct(t.TempDir(), s.flows)
	if err := p.start(options([]string{"flows=" + s.flows})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	you, colleague := p.local.Slack.As("you"), p.local.Slack.As("colleague")
	for _, step := range []func() error{
		func() error { return you.Command("/sym req exception") },
		func() error {
			return you.Fill(map[string]string{"Which rule": "two reviews", "Why": "the build is red"})
		},
		you.Submit,
		p.settle,
		func() error {
			return onMessage(p, colleague, nil, func(ts string) error { return colleague.Click(ts, "Approve") })
		},
		p.settle,
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if inbox := you.Inbox(); !strings.Contains(strings.ToLower(inbox), "approved") {
		t.Errorf("you are not told:\n%s", inbox)
	}
}

// The checklist speaks of everything that the sample flows name and that a real
// workspace does not have.
func TestFirstFlow_Checklist(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/first-flow.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(guide), "## What to change in the examples")
	files, err := filepath.Glob("../../flows/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob("../../docs/examples/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, examples...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range []string{"external_id", "example.com", "group:", "channel", "destination", "123456789012", "path", "vars"} {
			if strings.Contains(string(text), sample) && !strings.Contains(list, sample) {
				t.Errorf("%s has %q, which the checklist does not speak of", file, sample)
			}
		}
	}
}
