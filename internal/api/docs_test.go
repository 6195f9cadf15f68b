package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

// example is a curl command of docs/api.md, and the answer shown below it.
type example struct{ command, answer string }

var (
	blockPattern = regexp.MustCompile("(?s)```(sh|json)\n(.*?)```")
	codePattern  = regexp.MustCompile("(?m)^\\| `([A-Za-z]+:[A-Z_]+)` \\| (\\d+) \\|")
)

func readGuide(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// shellWords splits a command as a shell does, for what the guide uses: quotes of
// both kinds, variables, and lines that go on.
func shellWords(command string, env map[string]string) (out []string) {
	var word strings.Builder
	quote, inWord := rune(0), false
	command = os.Expand(strings.ReplaceAll(command, "\\\n", " "), func(name string) string { return env[name] })
	escaped := false
	for _, c := range command {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, inWord = c, true
		case quote == 0 && (c == ' ' || c == '\n'):
			if inWord {
				out = append(out, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	return out
}

// Each command of the guide works as it stands, and each answer shown has the
// shape that the command's answer has.
func TestGuide(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	doc := readDocument(t)
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	live, longer, stuck, open, over := f.escalated(), f.escalated(), f.stuck(), f.open(), f.cancelled()
	env := map[string]string{
		"SYM_API_URL": server.URL + Base, "SYM_JWT": f.token,
		"EVENT_ID": f.run(live).Events[0].ID,
	}
	var examples []example
	for _, block := range blockPattern.FindAllStringSubmatch(readGuide(t), -1) {
		switch {
		case block[1] == "sh":
			examples = append(examples, example{command: block[2]})
		case len(examples) > 0 && examples[len(examples)-1].answer == "":
			examples[len(examples)-1].answer = block[2]
		}
	}
	ran := 0
	for _, e := range examples {
		command, _, _ := strings.Cut(e.command, " | ")
		env["RUN_ID"] = live
		switch {
		case strings.Contains(command, "/events/retry"):
			env["RUN_ID"] = stuck
		case strings.Contains(command, "/extend"):
			env["RUN_ID"] = longer
		case strings.Contains(command, "/cancel"):
			env["RUN_ID"] = open
		case strings.Contains(command, "/again"):
			env["RUN_ID"] = over
		}
		args := shellWords(command+"\n", env)
		if args[0] != "curl" {
			continue
		}
		ran++
		req, err := curl(args[1:])
		if err != nil {
			t.Fatalf("%s: %v", e.command, err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimPrefix(req.URL.String(), server.URL)
		if req.URL.Query().Get("format") == "csv" {
			if kind := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || kind != "text/csv; charset=utf-8" {
				t.Errorf("%s\n%d, %s", e.command, resp.StatusCode, kind)
			}
			continue
		}
		if body := doc.check(t, req.Method, path, resp); resp.StatusCode != 200 {
			t.Errorf("%s\n%d: %s", e.command, resp.StatusCode, body)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if e.answer != "" {
			doc.validate(t, doc.answer(t, req.Method, path, 200), []byte(e.answer))
		}
	}
	if ran != 15 {
		t.Errorf("the guide has %d commands of curl, the test knows 15", ran)
	}
}

// curl makes the request that curl would, for the options that the guide uses.
func curl(args []string) (*http.Request, error) {
	method, url, body := http.MethodGet, "", ""
	header := http.Header{}
	for len(args) > 0 {
		option := args[0]
		args = args[1:]
		switch option {
		case "-s":
			continue
		case "-X", "-H", "-d":
			value := args[0]
			args = args[1:]
			switch option {
			case "-X":
				method = value
			case "-H":
				name, text, _ := strings.Cut(value, ": ")
				header.Set(name, text)
			case "-d":
				body = value
			}
		default:
			if url != "" {
				return nil, fmt.Errorf("%q and %q", url, option)
			}
			url = option
		}
	}
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err == nil {
		req.Header = header
	}
	return req, err
}

// The guide's table of errors is the one that the API uses.
func TestGuideErrors(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, row := range codePattern.FindAllStringSubmatch(readGuide(t), -1) {
		got[row[1]] = row[2]
	}
	if got["Internal:ERROR"] != "500" {
		t.Errorf("Internal:ERROR is %q", got["Internal:ERROR"])
	}
	delete(got, "Internal:ERROR")
	for code, status := range statuses {
		if got[string(code)] != fmt.Sprint(status) {
			t.Errorf("%s is %q in the guide, and %d", code, got[string(code)], status)
		}
		delete(got, string(code))
	}
	if len(got) != 0 {
		t.Errorf("the guide has codes that the API lacks: %v", got)
	}
}
