package connectors_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// world is where configurations of Terraform are applied, as Terraform would from
// nothing: in an account and a region of AWS.
type world struct {
	t               *testing.T
	account, region string
	// aliases are the accounts of other configurations of the provider for AWS.
	aliases map[string]string
	// sources gives the folder of a module, and what it puts out if it is none of ours.
	sources func(source string) (dir string, outputs map[string]cty.Value)
}

const (
	instance = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
	store    = "d-1234567890"
)

// applied is a module, with all that it calls.
type applied struct {
	outputs   map[string]cty.Value
	resources []resource
	refused   []string // what its variables say of what they are given
}

type resource struct {
	address, kind string
	account       string
	attributes    map[string]cty.Value
}

// computed are the attributes of a resource that AWS, or whoever makes it, gives it.
func (w *world) computed(address, kind string, given map[string]cty.Value) map[string]cty.Value {
	digest := sha256.Sum256([]byte(address))
	uuid := fmt.Sprintf("%x-%x-%x-%x-%x", digest[:4], digest[4:6], digest[6:8], digest[8:10], digest[10:16])
	out := map[string]cty.Value{"id": cty.StringVal(uuid)}
	named := func(what string) {
		out["arn"] = cty.StringVal("arn:aws:iam::" + w.account + ":" + what + textOr(given["path"], "/") + given["name"].AsString())
		out["id"] = given["name"]
	}
	switch kind {
	case "aws_iam_role":
		named("role")
	case "aws_iam_policy":
		named("policy")
	case "aws_iam_group":
		named("group")
	case "random_uuid":
		out["result"] = out["id"]
	}
	return out
}

func textOr(v cty.Value, otherwise string) string {
	if v == cty.NilVal || v.IsNull() {
		return otherwise
	}
	return v.AsString()
}

// data is what a data source of AWS says.
func (w *world) data(kind string) cty.Value {
	list := func(s string) cty.Value { return cty.ListVal([]cty.Value{cty.StringVal(s)}) }
	known := map[string]map[string]cty.Value{
		"aws_caller_identity":    {"account_id": cty.StringVal(w.account)},
		"aws_partition":          {"partition": cty.StringVal("aws")},
		"aws_region":             {"name": cty.StringVal(w.region)},
		"aws_ssoadmin_instances": {"arns": list(instance), "identity_store_ids": list(store)},
	}
	if known[kind] == nil {
		w.t.Fatalf("this test does not know data of %s", kind)
	}
	return cty.ObjectVal(known[kind])
}

// functions are those of Terraform that are used.
var functions = map[string]function.Function{
	"alltrue":    all,
	"can":        tryfunc.CanFunc,
	"concat":     stdlib.ConcatFunc,
	"distinct":   stdlib.DistinctFunc,
	"file":       function.New(&function.Spec{Params: []function.Parameter{{Type: cty.String}}, Type: function.StaticReturnType(cty.String), Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return args[0], nil }}),
	"jsonencode": stdlib.JSONEncodeFunc,
	"length":     stdlib.LengthFunc,
	"regex":      stdlib.RegexFunc,
	"replace": function.New(&function.Spec{
		Params: []function.Parameter{{Type: cty.String}, {Type: cty.String}, {Type: cty.String}}, Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			what := args[1].AsString()
			if len(what) > 1 && strings.HasPrefix(what, "/") && strings.HasSuffix(what, "/") { // Terraform's sign of a pattern
				return cty.StringVal(regexp.MustCompile(what[1:len(what)-1]).ReplaceAllString(args[0].AsString(), args[2].AsString())), nil
			}
			return cty.StringVal(strings.ReplaceAll(args[0].AsString(), what, args[2].AsString())), nil
		},
	}),
	"split":  stdlib.SplitFunc,
	"title":  stdlib.TitleFunc,
	"tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
}

var all = function.New(&function.Spec{
	Params: []function.Parameter{{Type: cty.List(cty.Bool)}}, Type: function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		for _, v := range args[0].AsValueSlice() {
			if v.False() {
				return cty.False, nil
			}
		}
		return cty.True, nil
	},
})

// module is the text of one, by the kinds and labels of its blocks.
type module map[string]map[string]*hclsyntax.Body

// read parses the files of a folder.
func read(t *testing.T, dir string) module {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no files: %v", dir, err)
	}
	m := module{}
	parser := hclparse.NewParser()
	for _, file := range files {
		f, diagnostics := parser.ParseHCLFile(file)
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		for _, b := range f.Body.(*hclsyntax.Body).Blocks {
			if m[b.Type] == nil {
				m[b.Type] = map[string]*hclsyntax.Body{}
			}
			label := strings.Join(b.Labels, ".")
			for m[b.Type][label] != nil { // blocks without labels are as many as there are
				label += "+"
			}
			m[b.Type][label] = b.Body
		}
	}
	return m
}

// input is what a module may be given.
type input struct {
	typ      cty.Type
	defaults *typeexpr.Defaults
	value    cty.Value // of its default; NilVal: it has none, and must be given
}

func (m module) variables(t *testing.T) map[string]input {
	t.Helper()
	out := map[string]input{}
	for name, body := range m["variable"] {
		typ, defaults, diagnostics := typeexpr.TypeConstraintWithDefaults(body.Attributes["type"].Expr)
		v := input{typ, defaults, cty.NilVal}
		if d := body.Attributes["default"]; d != nil && !diagnostics.HasErrors() {
			v.value, diagnostics = d.Expr.Value(nil)
		}
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		out[name] = v
	}
	return out
}

// apply makes what the files of a folder say. at is its address: "" of the root.
func (w *world) apply(dir, at string, given map[string]cty.Value) applied {
	w.t.Helper()
	m := read(w.t, dir)
	var made applied
	values := map[string]cty.Value{}
	given = maps.Clone(given)
	declared := m.variables(w.t)
	for name, v := range declared {
		value, ok := given[name]
		delete(given, name)
		if !ok || value.IsNull() {
			value = v.value
		}
		if value == cty.NilVal {
			w.t.Fatalf("%s: variable %s has no value", dir, name)
		}
		if v.defaults != nil && !value.IsNull() {
			value = v.defaults.Apply(value)
		}
		value, err := convert.Convert(value, v.typ)
		if err != nil {
			w.t.Fatalf("%s: variable %s: %v", dir, name, err)
		}
		values[name] = value
	}
	if len(given) > 0 {
		w.t.Fatalf("%s has no variables %q", dir, slices.Sorted(maps.Keys(given)))
	}
	s := &scope{world: w, module: m, at: at, made: &made, known: map[string]cty.Value{}}
	s.eval = &hcl.EvalContext{Functions: functions, Variables: map[string]cty.Value{
		"var": cty.ObjectVal(values), "path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(dir)}),
	}}
	for name, body := range m["variable"] {
		for _, b := range body.Blocks {
			if holds := s.value(b.Body.Attributes["condition"].Expr); !holds.True() {
				made.refused = append(made.refused, name+": "+s.value(b.Body.Attributes["error_message"].Expr).AsString())
			}
		}
	}
	if len(made.refused) > 0 {
		return made
	}
	s.settle()
	made.outputs = map[string]cty.Value{}
	for name, body := range m["output"] {
		made.outputs[name] = s.value(body.Attributes["value"].Expr)
	}
	return made
}

// scope is a module that is being applied.
type scope struct {
	world  *world
	module module
	at     string
	made   *applied
	eval   *hcl.EvalContext
	known  map[string]cty.Value // by address: "local.x", "module.m", "data.a.b", "aws_iam_role.r"
}

func (s *scope) value(e hclsyntax.Expression) cty.Value { return s.in(s.eval, e) }

func (s *scope) in(eval *hcl.EvalContext, e hclsyntax.Expression) cty.Value {
	s.world.t.Helper()
	v, diagnostics := e.Value(eval)
	if diagnostics.HasErrors() {
		s.world.t.Fatal(diagnostics)
	}
	return v
}

// refers gives the addresses that an expression refers to.
func refers(e hclsyntax.Expression) (list []string) {
	for _, v := range e.Variables() {
		part := func(i int) string { return v[i].(hcl.TraverseAttr).Name }
		switch root := v.RootName(); root {
		case "var", "path", "each", "count":
		case "data":
			list = append(list, "data."+part(1)+"."+part(2))
		default:
			list = append(list, root+"."+part(1))
		}
	}
	return list
}

// settle makes one after the other what needs nothing that is not there yet.
func (s *scope) settle() {
	t := s.world.t
	todo := map[string]func() cty.Value{}
	needs := map[string][]string{}
	add := func(address string, body *hclsyntax.Body, do func() cty.Value, but ...string) {
		todo[address] = do
		for name, a := range body.Attributes {
			if !slices.Contains(but, name) {
				needs[address] = append(needs[address], refers(a.Expr)...)
			}
		}
	}
	for _, body := range s.module["locals"] {
		for name, a := range body.Attributes {
			todo["local."+name] = func() cty.Value { return s.value(a.Expr) }
			needs["local."+name] = refers(a.Expr)
		}
	}
	for label, body := range s.module["data"] {
		kind, _, _ := strings.Cut(label, ".")
		add("data."+label, body, func() cty.Value { return s.world.of(body.Attributes["provider"]).data(kind) }, "provider")
	}
	for label, body := range s.module["resource"] {
		add(label, body, func() cty.Value { return s.resource(label, body) }, "provider")
	}
	for label, body := range s.module["module"] {
		add("module."+label, body, func() cty.Value { return s.call(label, body) }, "providers")
	}
	for len(todo) > 0 {
		before := len(todo)
		for address, do := range todo {
			if slices.ContainsFunc(needs[address], func(n string) bool { _, ok := s.known[n]; return !ok }) {
				continue
			}
			s.know(address, do())
			delete(todo, address)
		}
		if len(todo) == before {
			t.Fatalf("%q refer to what is not declared, or to each other: %v", slices.Sorted(maps.Keys(todo)), needs)
		}
	}
}

// know puts a value where expressions find it.
func (s *scope) know(address string, v cty.Value) {
	s.known[address] = v
	tree := map[string]any{}
	for address, v := range s.known {
		at, parts := tree, strings.Split(address, ".")
		for _, p := range parts[:len(parts)-1] {
			if at[p] == nil {
				at[p] = map[string]any{}
			}
			at = at[p].(map[string]any)
		}
		at[parts[len(parts)-1]] = v
	}
	for name, branch := range tree {
		s.eval.Variables[name] = object(branch)
	}
}

func object(branch any) cty.Value {
	if v, ok := branch.(cty.Value); ok {
		return v
	}
	out := map[string]cty.Value{}
	for name, b := range branch.(map[string]any) {
		out[name] = object(b)
	}
	return cty.ObjectVal(out)
}

// of is the world by a provider that is named, such as aws.sso.
func (w *world) of(provider *hclsyntax.Attribute) *world {
	if provider == nil {
		return w
	}
	return w.named(provider.Expr)
}

func (w *world) named(e hclsyntax.Expression) *world {
	v, diagnostics := hcl.AbsTraversalForExpr(e)
	if diagnostics.HasErrors() {
		w.t.Fatal(diagnostics)
	}
	other := *w
	other.account = w.aliases[v[1].(hcl.TraverseAttr).Name]
	return &other
}

func (s *scope) resource(label string, body *hclsyntax.Body) cty.Value {
	kind, _, _ := strings.Cut(label, ".")
	w := s.world.of(body.Attributes["provider"])
	one := func(index string, own map[string]cty.Value) cty.Value {
		eval := s.eval.NewChild()
		eval.Variables = own
		r := resource{address: s.at + label + index, kind: kind, account: w.account, attributes: map[string]cty.Value{}}
		for name, a := range body.Attributes {
			if name != "provider" && name != "for_each" && name != "count" {
				r.attributes[name] = s.in(eval, a.Expr)
			}
		}
		maps.Copy(r.attributes, w.computed(r.address, kind, r.attributes))
		s.made.resources = append(s.made.resources, r)
		return cty.ObjectVal(r.attributes)
	}
	if each := body.Attributes["for_each"]; each != nil {
		out := map[string]cty.Value{}
		for key, value := range s.value(each.Expr).AsValueMap() {
			out[key] = one(fmt.Sprintf("[%q]", key), map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": value})})
		}
		return cty.ObjectVal(out)
	}
	if count := body.Attributes["count"]; count != nil {
		n, _ := s.value(count.Expr).AsBigFloat().Int64()
		out := []cty.Value{}
		for i := range n {
			out = append(out, one(fmt.Sprintf("[%d]", i), map[string]cty.Value{"count": cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(i)})}))
		}
		return cty.TupleVal(out)
	}
	return one("", nil)
}

func (s *scope) call(label string, body *hclsyntax.Body) cty.Value {
	w, given := s.world, map[string]cty.Value{}
	var source string
	for name, a := range body.Attributes {
		switch name {
		case "source":
			source = s.value(a.Expr).AsString()
		case "version":
		case "providers":
			for _, item := range a.Expr.(*hclsyntax.ObjectConsExpr).Items {
				w = w.named(item.ValueExpr)
			}
		default:
			given[name] = s.value(a.Expr)
		}
	}
	dir := filepath.Join(s.value(&hclsyntax.ScopeTraversalExpr{Traversal: hcl.Traversal{hcl.TraverseRoot{Name: "path"}, hcl.TraverseAttr{Name: "module"}}}).AsString(), source)
	if !strings.HasPrefix(source, ".") {
		var outputs map[string]cty.Value
		if dir, outputs = w.sources(source); outputs != nil {
			return cty.ObjectVal(outputs)
		}
	}
	made := w.apply(dir, s.at+"module."+label+".", given)
	s.made.resources = append(s.made.resources, made.resources...)
	s.made.refused = append(s.made.refused, made.refused...)
	if len(made.refused) > 0 {
		w.t.Fatalf("module %s refuses what it is given: %q", label, made.refused)
	}
	return cty.ObjectVal(made.outputs)
}
