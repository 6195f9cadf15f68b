package app

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/onelogin/oneloginfake"
)

// accounts is a strategy type that finds what a test says.
var accounts = strategy.Type{
	Name: "accounts", About: "accounts",
	Integration: strategy.AWSIntegration(),
	Settings:    strategy.Settings{Known: []strategy.Setting{{Name: "instance", About: "the instance", Required: true, Check: not("wrong")}}},
	Targets: []strategy.TargetType{{Name: "account", Settings: strategy.Settings{Known: []strategy.Setting{
		{Name: "account_id", About: "the account", Required: true, Check: not("nowhere")},
	}}}},
}

func not(wrong string) func(string) error {
	return func(value string) error {
		if value == wrong {
			return flow.Errorf(flow.CodeInvalid, "can't be %q", wrong)
		}
		return nil
	}
}

// cloud is the system of such strategies: accounts by the instance that they are
// in. In a region called "down" it does not answer.
type cloud struct {
	strategy.Strategy
	has    map[string][]flow.Target
	asked  map[string]bool // as which role, in which account
	opened flow.Strategy
}

func (c cloud) Discover(context.Context) ([]flow.Target, error) {
	if i := c.opened.Integration; i != nil {
		if i.Settings["region"] == "us-down-1" {
			return nil, flow.Errorf(flow.CodeUnavailable, "the cloud does not answer")
		}
		c.asked[i.Settings["role_arn"]+i.Settings["external_id"]+" "+i.Settings["account_id"]] = true
	}
	return c.has[c.opened.Settings["instance"]], nil
}

// mute is a strategy that can't list anything.
type mute struct{ strategy.Strategy }

type finder struct {
	t     *testing.T
	dir   string
	has   map[string][]flow.Target
	asked map[string]bool
}

func newFinder(t *testing.T, files map[string]string) *finder {
	f := &finder{t: t, dir: t.TempDir(), has: map[string][]flow.Target{}, asked: map[string]bool{}}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *finder) put(instance string, ids ...string) {
	var list []flow.Target
	for _, id := range ids {
		list = append(list, flow.Target{Name: "a-" + id, Type: "account", Label: "Account " + id, Settings: map[string]string{"account_id": id}})
	}
	f.has[instance] = list
}

func (f *finder) run(args ...string) (string, error) {
	f.t.Helper()
	quiet := accounts
	quiet.Name, quiet.Targets = "quiet", []strategy.TargetType{{Name: "thing"}}
	quiet.Settings = strategy.Settings{}
	var out strings.Builder
	err := discover{
		types: map[string]strategy.Type{"accounts": accounts, "quiet": quiet}, org: "sym", out: &out,
		now:    func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) },
		caller: func(context.Context) (string, error) { return "123456789012", nil },
		open: func(string) (strategy.Opener, error) {
			return func(s flow.Strategy) (strategy.Strategy, error) {
				if s.Type == "quiet" {
					return mute{}, nil
				}
				return cloud{has: f.has, asked: f.asked, opened: s}, nil
			}, nil
		},
	}.run(f.t.Context(), append(args[:1:1], append([]string{"-flows", f.dir}, args[1:]...)...))
	return strings.ReplaceAll(out.String(), f.dir, "flows"), err
}

func (f *finder) must(want string, args ...string) {
	f.t.Helper()
	got, err := f.run(args...)
	if err != nil || got != want {
		f.t.Errorf("targets %q: %v, got\n%s\nwant\n%s", args, err, got, want)
	}
}

func (f *finder) refuse(want string, args ...string) {
	f.t.Helper()
	if _, err := f.run(args...); err == nil || !strings.Contains(err.Error(), want) {
		f.t.Errorf("targets %q: got %v, want %q", args, err, want)
	}
}

func (f *finder) read(name string) string {
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	return string(text)
}

const aStrategy = `kind: strategy
name: main
type: accounts
targets: ["*"]
settings: {instance: one}
`

func TestTargets(t *testing.T) {
	t.Parallel()
	f := newFinder(t, map[string]string{"main.yaml": aStrategy})
	f.put("one", "1", "2")
	const first = `added    a-1: Account 1
added    a-2: Account 2
flows/targets-main.yaml %s: strategy main finds 2 targets; 2 added, 0 renamed, 0 gone, 0 back
strategy main offers 2 targets; targets: ["*"] are all that were found
`
	f.must(strings.Replace(first, "%s", "would be written (-dry-run)", 1), "accounts", "-dry-run")
	if f.read("targets-main.yaml") != "" {
		t.Error("a dry run has written")
	}
	f.must(strings.Replace(first, "%s", "is written", 1), "accounts")
	once := f.read("targets-main.yaml")
	f.must("flows/targets-main.yaml: nothing has changed; strategy main finds 2 targets\n", "accounts")
	if f.read("targets-main.yaml") != once {
		t.Error("the second time the file has changed")
	}
	f.put("one", "1", "3")
	f.has["one"][0].Label = "Production"
	f.must(`added    a-3: Account 3
renamed  a-1: Production, was Account 1
gone     a-2: Account 2
flows/targets-main.yaml is written: strategy main finds 2 targets; 1 added, 1 renamed, 1 gone, 0 back
strategy main offers 2 targets; targets: ["*"] are all that were found
`, "accounts")
	f.put("one", "1", "2", "3")
	f.has["one"][0].Label = "Production"
	f.must(`back     a-2: Account 2
flows/targets-main.yaml is written: strategy main finds 3 targets; 0 added, 0 renamed, 0 gone, 1 back
strategy main offers 3 targets; targets: ["*"] are all that were found
`, "accounts")
	if left, err := filepath.Glob(filepath.Join(f.dir, "*.new")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// TestTargets_Several: each strategy has a file of its own, and what is in any
// other file is not there twice.
func TestTargets_Several(t *testing.T) {
	t.Parallel()
	f := newFinder(t, map[string]string{"a.yaml": aStrategy + "---\n" + strings.NewReplacer("main", "other", "one", "two").Replace(aStrategy) +
		"---\n{kind: target, name: by-hand, type: account, settings: {account_id: \"2\"}}\n"})
	f.put("one", "1", "2")
	f.put("two", "1", "4")
	out, err := f.run("accounts")
	if err != nil {
		t.Fatal(err)
	}
	main, other := f.read("targets-main.yaml"), f.read("targets-other.yaml")
	if strings.Count(main, "kind: target") != 1 || !strings.Contains(main, "name: a-1") || strings.Count(other, "kind: target") != 1 || !strings.Contains(other, "name: a-4") {
		t.Errorf("%s\n%s\n%s", out, main, other)
	}
	f.put("two", "4", "5")
	if out, err := f.run("accounts", "-strategy", "OTHER"); err != nil || !strings.Contains(f.read("targets-other.yaml"), "a-5") || strings.Contains(out, "targets-main") {
		t.Errorf("of one strategy: %v\n%s", err, out)
	}
}

// TestTargets_Begin: flags stand for a strategy that is not written yet.
func TestTargets_Begin(t *testing.T) {
	t.Parallel()
	f := newFinder(t, nil)
	f.put("one", "1")
	f.refuse("has no strategy of type accounts", "accounts")
	f.refuse(`-instance can't be "wrong"`, "accounts", "-instance", "wrong")
	f.refuse("-instance is required", "accounts", "-region", "us-east-1")
	f.refuse("the cloud does not answer", "accounts", "-instance", "one", "-region", "us-down-1")
	f.must(`added    a-1: Account 1
flows/targets-sso.yaml is written: strategy sso finds 1 target; 1 added, 0 renamed, 0 gone, 0 back
to offer them, write a strategy called sso of type accounts; targets: ["*"] are all that were found
`, "accounts", "-instance", "one", "-strategy", "sso")
}

func TestTargets_Refused(t *testing.T) {
	t.Parallel()
	f := newFinder(t, map[string]string{"main.yaml": aStrategy, "quiet.yaml": "{kind: strategy, name: quiet, type: quiet, targets: [t]}"})
	f.refuse("wants a type of strategy", "-dry-run")
	f.refuse(`there is no strategy type "account" (did you mean "accounts"?): there are accounts, quiet`, "account")
	f.refuse("leave out the flags", "accounts", "-instance", "one")
	f.refuse(`has no strategy of type accounts that is called "none"`, "accounts", "-strategy", "none")
	f.refuse("strategy quiet: strategies of type quiet can't list", "quiet")
	f.refuse("takes no argument", "accounts", "more")
	f.put("one", "nowhere")
	f.refuse("was not written", "accounts")
	if text := f.read("targets-main.yaml"); text != "" {
		t.Errorf("what has faults was written:\n%s", text)
	}
	f.put("one", "1")
	f.must(`added    a-1: Account 1
flows/targets-main.yaml is written: strategy main finds 1 target; 1 added, 0 renamed, 0 gone, 0 back
local check finds faults still: mend them, and list what the strategy is to offer; targets: ["*"] are all that were found
`, "accounts")
	before := f.read("targets-main.yaml")
	f.has["one"] = nil
	f.refuse("nothing was found", "accounts")
	if f.read("targets-main.yaml") != before {
		t.Error("the file has changed")
	}
	if err := os.WriteFile(filepath.Join(f.dir, "main.yaml"), []byte(strings.Replace(aStrategy, "one", "wrong", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	f.refuse(`settings.instance: can't be "wrong"`, "accounts")
}

// TestTargets_Role: the role that grants trusts nobody here. What is listed is
// listed by the machine's own credentials, if they are of that account.
func TestTargets_Role(t *testing.T) {
	t.Parallel()
	const role = `
---
kind: integration
name: cloud
type: permission_context
external_id: "%s"
settings: {role_arn: "arn:aws:iam::%[1]s:role/sym/connector", external_id: secret}
`
	in := func(account string) *finder {
		f := newFinder(t, map[string]string{"main.yaml": strings.Replace(aStrategy, "targets:", "integration_id: cloud\ntargets:", 1) + strings.ReplaceAll(strings.ReplaceAll(role, "%[1]s", account), "%s", account)})
		f.put("one", "1")
		return f
	}
	ours, theirs := in("123456789012"), in("210987654321")
	if _, err := ours.run("accounts"); err != nil || !ours.asked[" 123456789012"] {
		t.Errorf("asked as %v: %v", ours.asked, err)
	}
	theirs.refuse("it acts in account 210987654321, and the machine's credentials are of account 123456789012", "accounts")
	if _, err := theirs.run("accounts", "-assume-role"); err != nil || !theirs.asked["arn:aws:iam::210987654321:role/sym/connectorsecret "] {
		t.Errorf("asked as %v: %v", theirs.asked, err)
	}
}

// inAWS has the process call a fake of AWS, as AWS_ENDPOINT_URL has it call an
// emulator. The SDK reads the process's environment, so that tests which need this
// run one after another.
func inAWS(t *testing.T) *awsfake.Fake {
	fake := awsfake.New()
	cfg := fake.Config(t)
	key, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": *cfg.BaseEndpoint, "AWS_REGION": cfg.Region, "AWS_ACCESS_KEY_ID": key.AccessKeyID, "AWS_SECRET_ACCESS_KEY": key.SecretAccessKey,
		"AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	return fake
}

// TestTargets_AWS asks AWS as the command does.
func TestTargets_AWS(t *testing.T) {
	fake, dir := inAWS(t), t.TempDir()
	for _, name := range []string{"ops", "dev", "audit"} {
		fake.IAM.AddGroup(awsfake.Own, "/", name)
	}
	run := func(args ...string) string {
		t.Helper()
		var out strings.Builder
		if err := Main(t.Context(), append([]string{"targets", "aws_iam", "-flows", dir}, args...), os.Getenv, &out, &out); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		return out.String()
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("main.yaml", `
{kind: strategy, name: groups, type: aws_iam, integration_id: here, targets: ["*"]}
---
{kind: integration, name: here, type: permission_context, external_id: "123456789012", settings: {role_arn: "arn:aws:iam::123456789012:role/sym/connector", external_id: secret-of-ours}}
---
{kind: environment, name: main}
---
{kind: flow, name: groups, environment_id: main, params: {strategy_id: groups, approval: {notify: [{channel: "#access"}], approvers: ["group:ops"]}}}
`)
	if out := run(); !strings.Contains(out, "3 added") || !strings.Contains(out, "strategy groups offers 3 targets") {
		t.Error(out)
	}
	fake.IAM.DeleteGroup(awsfake.Own, "dev")
	if out := run(); !strings.Contains(out, "1 gone") || !strings.Contains(out, "strategy groups offers 2 targets") {
		t.Error(out)
	}
	if out := run(); !strings.Contains(out, "nothing has changed") {
		t.Error(out)
	}
	var out strings.Builder
	if err := Main(t.Context(), []string{"check", "-flows", dir, "-data", t.TempDir()}, os.Getenv, &out, &out); err != nil || !strings.Contains(out.String(), "access by aws_iam, 2 targets\nno faults\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestTargets_Types: each type of strategy that finds targets at AWS begins by
// flags, and what it has found passes check and is found again as it is.
func TestTargets_Types(t *testing.T) {
	fake := inAWS(t)
	const instance, application, group = "arn:aws:sso:::instance/ssoins-1234567890abcdef", "arn:aws:account-access:us-east-1:123456789012:application/app-1234", "a1b2c3d4e5-22222222-2222-2222-2222-222222222222"
	fake.IAM.AddGroup(awsfake.Own, "/", "ops")
	fake.EKS.AddCluster(awsfake.Own, awsfake.Region, "main", "API")
	c := fake.IdentityCenter
	c.AddInstance(awsfake.Own, instance, "d-1234567890", application)
	c.AddGroup(awsfake.Own, group, "Billing")
	c.AddRole(awsfake.Own, "arn:aws:iam::111111111111:role/ops/ProdAdmin")
	c.Entitle(awsfake.Own, "arn:aws:iam::111111111111:role/ops/ProdAdmin", "GROUP", group)
	finds := 0
	for name := range builtin.Types() {
		flags, finder := map[string][]string{
			"aws_iam":            {"-region", awsfake.Region},
			"aws_sso":            {"-instance_arn", instance},
			"aws_account_access": {"-instance_arn", instance, "-application_arn", application},
			"aws_eks":            {"-region", awsfake.Region},
		}[name]
		if !finder {
			continue
		}
		finds++
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "main.yaml"), []byte("{kind: environment, name: main}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run := func(args ...string) (string, error) {
			var out strings.Builder
			err := Main(t.Context(), append(args, "-flows", dir), os.Getenv, &out, &out)
			return out.String(), err
		}
		args := append([]string{"targets", name, "-strategy", "found"}, flags...)
		if out, err := run(args...); err != nil || !strings.Contains(out, "added    ") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if out, err := run(args...); err != nil || !strings.Contains(out, "nothing has changed") {
			t.Errorf("%s again: %v\n%s", name, err, out)
		}
		if out, err := run("check", "-data", t.TempDir()); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if finds != 4 {
		t.Errorf("only %d types find targets", finds)
	}
}

// TestTargets_SignsIn: where the integration says how to sign in, the secret is the
// one that local.yaml maps, and flags are no strategy.
func TestTargets_SignsIn(t *testing.T) {
	t.Parallel()
	fake := oneloginfake.New(t)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		t.Helper()
		var out bytes.Buffer
		err := Main(t.Context(), append([]string{"targets", "onelogin", "-flows", dir}, args...), os.Getenv, &out, &out)
		return out.String(), err
	}
	if out, err := run(); err == nil || !strings.Contains(err.Error(), "has no strategy of type onelogin: write one first, with its integration") {
		t.Errorf("%v\n%s", err, out)
	}
	write("onelogin.yaml", `kind: secrets
name: vault
type: aws_secrets_manager
---
kind: secret
name: pair
source_id: vault
path: /sym/main/onelogin
---
kind: integration
name: onelogin
type: onelogin
external_id: acme.onelogin.com
settings: {client_id: `+oneloginfake.ClientID+`, client_secret: pair, api_url: "`+fake.URL+`"}
---
kind: strategy
name: onelogin
type: onelogin
integration_id: onelogin
targets: ["*"]
`)
	if out, err := run(); err == nil || !strings.Contains(err.Error(), `secret "pair" is not mapped in local.yaml`) {
		t.Errorf("%v\n%s", err, out)
	}
	write("local.yaml", "secrets:\n  /sym/main/onelogin: {file: ./pair}\n")
	write("pair", oneloginfake.ClientSecret+"\n")
	if out, err := run(); err != nil || !strings.Contains(out, "added    onelogin_role-123456: Production\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
