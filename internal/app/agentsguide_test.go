package app

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/symflows/symflows/internal/flow"
)

// reader follows a guide on a machine of their own: what it says of make run's address
// and data is put for the product's, and nothing else.
type reader struct {
	t   *testing.T
	p   *product
	env map[string]string // of their shell
	run string            // what they asked for last
}

// guideAddress is where make run serves.
const guideAddress = "http://127.0.0.1:8080"

// shell has a shell run a block with what is typed into it, and keeps the environment
// that it leaves.
func (r *reader) shell(block, typed string) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "sh", "-c", "set -e\n"+block+"\nexec env")
	cmd.Env, cmd.Stdin = []string{"PATH=" + os.Getenv("PATH")}, strings.NewReader(typed)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", block, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), "="); strings.HasPrefix(name, "SYM_") {
			r.env[name] = strings.ReplaceAll(value, guideAddress, r.p.url)
		}
	}
}

// words are those of a command, as a shell reads it.
func (r *reader) words(line string) []string {
	r.t.Helper()
	out, err := exec.CommandContext(r.t.Context(), "sh", "-c", `printf '%s\0' `+line).Output()
	if err != nil {
		r.t.Fatalf("%s: %v", line, err)
	}
	words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	for i := range words {
		if words[i] == "RUN" {
			words[i] = r.run
		}
	}
	return words
}

func (r *reader) getenv(name string) string { return r.env[name] }

// does runs a command to its end.
func (r *reader) does(line string) string {
	r.t.Helper()
	args := r.words(line)
	if args[0] == "token" {
		args = append(args, "-data", r.p.path("data"))
	}
	var out bytes.Buffer
	if err := Main(r.t.Context(), args, r.getenv, &out, &out); err != nil {
		r.t.Fatalf("%s: %v\n%s", line, err, out.String())
	}
	if err := r.p.settle(); err != nil {
		r.t.Fatal(err)
	}
	return out.String()
}

// section is what a guide says below a heading.
func section(t *testing.T, guide, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(guide, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the guide has no %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// TestAgentsGuide does what docs/agents.md says, from the repository as it is cloned to an
// agent that asks, waits and ends, by commands and by tools.
func TestAgentsGuide(t *testing.T) {
	t.Parallel()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	guide := readFile(t, filepath.Join(repository, "docs/agents.md"))
	p := newProduct(t.TempDir(), repository)
	if err := os.CopyFS(p.path("flows"), os.DirFS(filepath.Join(repository, "flows"))); err != nil {
		t.Fatal(err)
	}
	// A function in Go is built where its module is.
	functions := p.path("flows/local.yaml")
	if err := os.WriteFile(functions, []byte(strings.ReplaceAll(readFile(t, functions), "./functions/", repository+"/flows/functions/")), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, p: p, env: map[string]string{}}
	blocks := func(of string) (list []string) {
		for _, b := range shellBlock.FindAllStringSubmatch(section(t, guide, of), -1) {
			list = append(list, strings.TrimSpace(b[1]))
		}
		return list
	}

	// Let agents in: the line goes where it is said.
	line := yamlBlock.FindStringSubmatch(section(t, guide, "Let agents in"))
	file := p.path("flows/prod-access.yaml")
	text := readFile(t, file)
	if line == nil || strings.Count(text, "\nparams:\n") != 1 {
		t.Fatal("there is no line to write, or not one place for it")
	}
	text = strings.Replace(text, "\nparams:\n", "\nparams:\n"+indent(line[1], "  "), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if run := blocks("Let agents in"); len(run) != 1 || run[0] != "make run" {
		t.Fatalf("it is started by %q", run)
	}
	if err := p.start(options(nil)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})

	// Make an agent.
	makes := blocks("Make an agent")
	if len(makes) != 2 {
		t.Fatalf("an agent is made by %q", makes)
	}
	shown := r.does(ours(t, makes[0]))
	token, _, _ := strings.Cut(shown, "\n")
	r.shell(makes[1], token+"\n")
	if r.env["SYM_JWT"] != token || r.env["SYM_API_URL"] != p.url {
		t.Fatalf("the agent does not find its token, or the deployment: %q", r.env)
	}

	// Ask, wait, end.
	asks := section(t, guide, "Ask, wait, end")
	commands := blocks("Ask, wait, end")
	if len(commands) != 2 {
		t.Fatalf("it asks by %q", commands)
	}
	asker := p.startAsker(r.words(ours(t, commands[0])), r.getenv, nil)
	wait := func() (string, bool) {
		t.Helper()
		out, waits, err := asker.rest()
		if err == nil {
			err = p.settle()
		}
		if err != nil {
			t.Fatal(err)
		}
		return out, waits
	}
	out, waits := wait()
	if r.run = uuidPattern.FindString(out); r.run == "" || !waits {
		t.Fatalf("it asks, and does not wait: %s", out)
	}
	if err := p.meet(); err != nil {
		t.Fatal(err)
	}
	card := regexp.MustCompile("In `(#[a-z-]+)` the card says \\*(.*?)\\*, and the purpose").FindStringSubmatch(asks)
	who := regexp.MustCompile(`As \*\*(\w+)\*\* \([^)]*\) press \*\*(\w+)\*\*, and the command ends with status (\d)`).FindStringSubmatch(asks)
	if card == nil || who == nil {
		t.Fatal("the guide does not say what the card says, and who decides")
	}
	bob, decider := p.local.Slack.As("bob"), p.local.Slack.As(strings.ToLower(who[1]))
	if channel := bob.Channel(card[1]); !strings.Contains(strings.ReplaceAll(channel, "*", ""), card[2]) || !strings.Contains(channel, "Find out why order 42 is stuck") {
		t.Errorf("the card does not say %q:\n%s", card[2], channel)
	}
	for _, m := range regexp.MustCompile(`\*\*\[(.*?)\]\*\*`).FindAllStringSubmatch(asks, -1) {
		if !strings.Contains(bob.Channel("@Sym"), "["+m[1]+"]") {
			t.Errorf("Bob has no button %q:\n%s", m[1], bob.Channel("@Sym"))
		}
	}
	press := func() error {
		return onMessage(p, decider, []string{r.run}, func(ts string) error { return decider.Click(ts, who[2]) })
	}
	// He is of the approvers, and still can't.
	if err := onMessage(p, bob, []string{r.run}, func(ts string) error { return bob.Click(ts, who[2]) }); err != nil {
		t.Fatal(err)
	}
	if err := p.settle(); err != nil {
		t.Fatal(err)
	}
	if run, err := p.local.Runs.Get(t.Context(), r.run); err != nil || run.Status != flow.Requested {
		t.Fatalf("once Bob has pressed it, the run is %s, %v", run.Status, err)
	}
	if err := press(); err != nil {
		t.Fatal(err)
	}
	if err := p.settle(); err != nil {
		t.Fatal(err)
	}
	asker.wake <- struct{}{}
	if out, waits := wait(); waits || !strings.HasSuffix(out, "exit status "+who[3]+"\n") {
		t.Fatalf("once it is approved, it says %s", out)
	}
	for command := range strings.Lines(commands[1]) {
		out := r.does(ours(t, command))
		if strings.Contains(command, " list") && !strings.Contains(out, r.run) {
			t.Errorf("%s does not list it: %s", command, out)
		}
	}
	if run, err := p.local.Runs.Get(t.Context(), r.run); err != nil || run.Status != flow.Deescalated {
		t.Errorf("at the end, the run is %s, %v", run.Status, err)
	}

	// As tools: by both of the ways, and as programs are configured.
	tools := section(t, guide, "As tools")
	address := regexp.MustCompile("`(http://\\S+/mcp)`").FindStringSubmatch(tools)
	var configured struct {
		MCPServers map[string]struct {
			Command string
			Args    []string
			Env     map[string]string
		}
	}
	b := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(tools)
	if address == nil || b == nil {
		t.Fatal("the guide does not say where tools are")
	}
	if err := json.Unmarshal([]byte(b[1]), &configured); err != nil {
		t.Fatal(err)
	}
	spoken := sdk.SupportedProtocolVersions()
	if between := "from " + spoken[len(spoken)-1] + " to " + spoken[0]; !strings.Contains(tools, between) {
		t.Errorf("the guide does not say that revisions %s are spoken", between)
	}
	server := configured.MCPServers["symflows"]
	if server.Command != "symflows" || server.Env["SYM_JWT"] == "" {
		t.Fatalf("no command is configured: %+v", server)
	}
	for name, connect := range map[string]func() (*sdk.ClientSession, error){
		"by HTTP": func() (*sdk.ClientSession, error) {
			return dialHTTP(t, strings.ReplaceAll(address[1], guideAddress, p.url), token)
		},
		"by standard input and output": func() (*sdk.ClientSession, error) {
			return dialStdio(t, server.Args, map[string]string{
				"SYM_JWT": token, "SYM_API_URL": strings.ReplaceAll(server.Env["SYM_API_URL"], guideAddress, p.url),
			})
		},
	} {
		session, err := connect()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list, err := session.ListTools(t.Context(), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, tool := range list.Tools {
			if !strings.Contains(tools, "`"+tool.Name+"`") {
				t.Errorf("%s there is the tool %s, which the guide does not speak of", name, tool.Name)
			}
		}
		if known, code := used(t, session, "list_flows", map[string]any{}); code != "" || !strings.Contains(jsonOf(t, known), "prod-access") {
			t.Errorf("%s it may ask for %v %s", name, known, code)
		}
	}
}

// indent puts blanks before each line.
func indent(text, by string) (out string) {
	for line := range strings.Lines(text) {
		out += by + line
	}
	return out
}

// ours are the words of a command of this repository's, without those that run it.
func ours(t *testing.T, command string) string {
	t.Helper()
	line, ok := strings.CutPrefix(strings.TrimSpace(command), "go run ./functions/local ")
	if !ok {
		t.Fatalf("it is no command of ours: %s", command)
	}
	return line
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
