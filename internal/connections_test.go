package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// connecting is what of the standard library connects to others, or says how.
var connecting = map[string][]string{
	"net/http":      {"Client", "DefaultClient", "Transport", "DefaultTransport", "Get", "Head", "Post", "PostForm"},
	"net":           {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix", "DialIP", "Dialer"},
	"crypto/tls":    {"Dial", "DialWithDialer", "Dialer"},
	"net/smtp":      {"Dial", "SendMail"},
	"net/rpc":       {"Dial", "DialHTTP", "DialHTTPPath"},
	"net/textproto": {"Dial"},
}

// elsewhere are the files that connect to what no configuration names, and to what.
var elsewhere = map[string]string{
	"internal/egress/egress.go":    "it is the guard",
	"internal/app/core/slack.go":   "Slack, whose address whoever deploys says",
	"internal/app/token_remote.go": "the deployment that a command names",
	"internal/client/client.go":    "the deployment that a command names",
	"internal/mcp/handler.go":      "the API in the same process",
	"internal/slacksim/deliver.go": "the API in the same process",
	"internal/slacksim/sim.go":     "the deployment that is tried out",
}

// TestConnections finds what connects past package egress, which holds to what addresses a
// configuration may lead.
func TestConnections(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	seen := 0
	for _, root := range []string{"internal", "functions", "events"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || !inFunctions(path) {
				return err
			}
			seen++
			path = strings.TrimPrefix(filepath.ToSlash(path), "../")
			found, err := connectionsIn(filepath.Join("..", path), nil)
			if _, ok := elsewhere[path]; ok {
				used[path] = len(found) > 0
				return err
			}
			for _, at := range found {
				t.Errorf("%s: what it connects to is looked at by nobody: take the way of its owner from package egress, or say in this test where it leads", at)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for path := range elsewhere {
		if !used[path] {
			t.Errorf("%s connects to nothing: take it off the list", path)
		}
	}
	if seen < 100 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// inFunctions tells of files that are no part of what only tests use.
func inFunctions(path string) bool {
	for part := range strings.SplitSeq(filepath.ToSlash(filepath.Dir(path)), "/") {
		if strings.HasSuffix(part, "fake") || strings.HasSuffix(part, "test") || part == "testdata" {
			return false
		}
	}
	return true
}

// connectionsIn finds the places in a file that connect by themselves.
func connectionsIn(path string, source any) (found []string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	names := map[string][]string{} // what of a package connects, by what it is called here
	for _, i := range file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, err
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = connecting[path]
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if field, ok := n.(*ast.StarExpr); ok { // a client that is handed over
			n, ok := field.X.(*ast.SelectorExpr)
			return !ok || n.Sel.Name != "Client"
		}
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(names[x.Name], s.Sel.Name) {
				found = append(found, files.Position(s.Pos()).String()+": "+x.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return found, nil
}

func TestConnections_Finds(t *testing.T) {
	t.Parallel()
	const head = "package p\n\nimport (\n\t\"net\"\n\tweb \"net/http\"\n\t\"example.com/vendorhttp\"\n)\n\nfunc f(c *web.Client) {\n\t"
	for code, want := range map[string]bool{
		"_ = &web.Client{}":                         true,
		"_ = web.DefaultClient":                     true,
		"web.Get(url)":                              true,
		"_ = web.DefaultTransport.(*web.Transport)": true,
		"_ = new(web.Client)":                       true,
		"_ = net.Dialer{}":                          true,
		"net.Dial(network, address)":                true,
		"var _ *web.Client = c":                     false,
		"_ = vendorhttp.Client{HTTP: c}":            false,
		"web.NewRequest(method, url, nil)":          false,
	} {
		found, err := connectionsIn("f.go", head+code+"\n}\n")
		if err != nil || (len(found) > 0) != want {
			t.Errorf("%s: found %q, %v", code, found, err)
		}
	}
}
