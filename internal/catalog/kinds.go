package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// kinds lists the kinds of documents, each after those that it refers to, and
// what reads them.
var kinds = []struct {
	name string
	read func(*document, *object)
}{
	{"secrets", (*document).secretSource},
	{"secret", (*document).secret},
	{"integration", (*document).integration},
	{"runtime", (*document).runtime},
	{"error_logger", (*document).errorLogger},
	{"log_destination", (*document).logDestination},
	{"target", (*document).target},
	{"strategy", (*document).strategy},
	{"environment", (*document).environment},
	{"flow", (*document).flow},
	{kindFilter, (*document).flowsFilter},
}

// kindFilter is the kind of which there is one document, without a name.
const kindFilter = "flows_filter"

func kindNames() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	slices.Sort(names)
	return names
}

// secretSourceTypes are the stores that secrets may be kept in.
var secretSourceTypes = []string{"aws_secrets_manager"}

// resolve reads the documents, kind by kind.
func (l *loader) resolve() {
	l.sources = map[string]string{}
	l.secrets = map[string]flow.SecretRef{}
	l.integrations = map[string]*flow.Integration{}
	l.errorChannels = map[string]string{}
	l.logDestinations = map[string]*flow.LogDestination{}
	l.targets = map[string]flow.Target{}
	l.strategies = map[string]*flow.Strategy{}
	l.granting = map[string]flow.Strategy{}
	l.environments = map[string]*flow.Environment{}
	for _, k := range kinds {
		for _, d := range l.documents {
			if d.kind != k.name {
				continue
			}
			o := d.object()
			o.get("name") // read when the document was registered
			k.read(d, o)
			o.done()
		}
	}
}

// findUnused warns of documents that nothing refers to.
func (l *loader) findUnused() {
	for _, d := range l.documents {
		if !d.used && d.kind != "flow" {
			d.warn("", "nothing refers to it: remove it, or use it")
		}
	}
	if len(l.flows) == 0 {
		l.report.Warnings = append(l.report.Warnings, Fault{Message: "there is no flow, and so nothing that anybody could request"})
	}
}

// catalog puts together what was read without faults.
func (l *loader) catalog() *Catalog {
	c := &Catalog{Flows: l.flows, Filter: l.filter}
	slices.SortFunc(c.Flows, func(a, b *flow.Flow) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	var needed, looking []strategy.Rights
	for _, s := range byName(l.strategies) {
		c.Strategies = append(c.Strategies, *s)
	}
	for _, s := range byName(l.granting) {
		needed = append(needed, l.types[s.Type].RightsOf(s))
		if l.types[s.Type].Observes {
			looking = append(looking, l.types[s.Type].RightsOf(s).Looking())
		}
	}
	c.looking = strategy.Join(looking...)
	c.rights = strategy.Join(needed...)
	for _, e := range byName(l.environments) {
		c.Environments = append(c.Environments, *e)
	}
	for _, d := range byName(l.logDestinations) {
		if len(d.Environments) > 0 {
			c.LogDestinations = append(c.LogDestinations, *d)
		}
	}
	c.Secrets = byName(l.secrets)
	if len(l.byID) == 0 {
		c.Drafts = l.drafts()
	}
	return c
}

func byName[T any](m map[string]T) []T {
	var out []T
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[name])
	}
	return out
}

// label reads the text that people read instead of the name.
func (o *object) label() string {
	s, _ := o.text("label")
	if err := flow.CheckOption(s); err != nil {
		o.doc.fault(o.at("label"), "%s", flow.UserMessage(err))
	}
	return s
}

// oneOf reads a text that must be one of the given ones.
func (o *object) oneOf(key string, known []string) string {
	s, ok := o.required(key, "one of "+strings.Join(known, ", "))
	if ok && !slices.Contains(known, s) {
		o.doc.fault(o.at(key), "%q is unknown%s: write one of %s", flow.Clip(s, maxQuoted), flow.DidYouMean(s, known), strings.Join(known, ", "))
		return ""
	}
	return s
}

// ref reads a reference to a document of a kind, of one of the types if several
// have the name. It returns nil if the attribute is absent or wrong.
func (o *object) ref(key, kind string, must bool, types ...string) *document {
	var name string
	var ok bool
	if must {
		by := "name"
		if o.doc.id != "" {
			by = "id"
		}
		name, ok = o.required(key, "the "+by+" of a document of kind "+kind)
	} else {
		name, ok = o.text(key)
	}
	if !ok {
		return nil
	}
	to := o.doc.loader.refer(o.doc, o.at(key), kind, name, types...)
	if to != nil {
		o.doc.leads(o.at(key), to)
		o.doc.loader.mean(value(o.node, key), to)
	}
	return to
}

// refs reads a list of references to documents of a kind, each once. Names with a
// * stand for the documents that several finds; nil: there are no such names.
func (o *object) refs(key, kind string, types []string, several func(path, pattern string) []*document, each func(path string, d *document)) {
	seen := map[*document]bool{}
	o.list(key, "a list of names", func(path string, n *yaml.Node) {
		name, ok := o.textOf(path, n)
		if !ok {
			return
		}
		if several != nil && strings.Contains(name, "*") {
			for _, d := range several(path, name) {
				o.doc.loader.mean(n, d)
				if !seen[d] {
					seen[d] = true
					each(path, d)
				}
			}
			return
		}
		d := o.doc.loader.refer(o.doc, path, kind, name, types...)
		if d != nil {
			o.doc.loader.mean(n, d)
		}
		switch {
		case d == nil:
		case seen[d]:
			o.doc.fault(path, "%q is listed twice: remove one", flow.Clip(name, maxQuoted))
		default:
			seen[d] = true
			each(path, d)
		}
	})
}

// secretList is Sym's setting of custom integrations: the secrets of a service
// that we know nothing of, as a JSON list in a text.
const (
	secretList = "secret_ids_json"
	maxSecrets = 20
)

// settings reads settings, those that name secrets apart.
func (o *object) settings() (map[string]string, map[string]flow.SecretRef) {
	plain := o.textMap("settings")
	secrets := map[string]flow.SecretRef{}
	secret := func(setting, key, name string) {
		if d := o.doc; d.id != "" {
			at := o.at("settings") + "." + setting
			if found := d.loader.byID[strings.ToLower(name)]; found != nil && found.kind == "secret" {
				found.used = true
				d.leads(at+" "+key, found)
				secrets[key] = d.loader.secrets[found.key()]
				return
			}
			if flow.IsUUID(name) {
				d.missing = append(d.missing, entity.Ref{Attribute: at, Kind: entity.KindSecret, ID: name})
			}
			d.fault(at, "is the id of no secret that there is: refer to one, and never write the secret itself")
			return
		}
		name = strings.ToLower(name)
		if found := o.doc.loader.byName["secret"][name]; len(found) > 0 {
			found[0].used = true
			o.doc.loader.mean(value(value(o.node, "settings"), setting), found[0])
			secrets[key] = o.doc.loader.secrets[name]
			return
		}
		// The value may be the secret itself, so it is not repeated.
		o.doc.fault(o.at("settings")+"."+setting, "names no secret that there is: write the name of a document of kind secret, never the secret itself")
	}
	for _, k := range slices.Sorted(maps.Keys(plain)) {
		value := plain[k]
		switch {
		case namesSecret(k):
			delete(plain, k)
			secret(k, k, value)
		case k == secretList:
			delete(plain, k)
			var names []string
			if err := json.Unmarshal([]byte(value), &names); err != nil || len(names) > maxSecrets {
				o.doc.fault(o.at("settings")+"."+k, `must be a JSON list of at most %d names of secrets, such as '["api-key"]'`, maxSecrets)
				continue
			}
			for i, name := range names {
				secret(k, flow.ListedSecret(i), name)
			}
		}
	}
	if len(secrets) == 0 {
		secrets = nil
	}
	if len(plain) == 0 {
		plain = nil
	}
	return plain, secrets
}

func (d *document) secretSource(o *object) {
	o.label()
	typ := o.oneOf("type", secretSourceTypes)
	if s := o.child("settings"); s != nil {
		s.ref("context_id", "integration", false, permissionContext)
		s.done()
	}
	d.loader.sources[d.key()] = typ
}

func (d *document) secret(o *object) {
	o.label()
	ref := flow.SecretRef{Name: d.name}
	if path, ok := o.required("path", "where the secret source keeps it"); ok {
		ref.Path = path
		if err := flow.CheckSecretPath(path); err != nil {
			d.fault("path", "%s", flow.UserMessage(err))
		}
	}
	if source := o.ref("source_id", "secrets", true); source != nil {
		ref.Source = d.loader.sources[source.key()]
	}
	if s := o.child("settings"); s != nil {
		ref.JSONKey, _ = s.text("json_key")
		s.done()
	}
	d.loader.secrets[d.key()] = ref
}

func (d *document) integration(o *object) {
	i := &flow.Integration{Name: d.name, Label: o.label()}
	i.Type, _ = o.required("type", "the service that it connects, such as slack")
	i.ExternalID, _ = o.required("external_id", "the service's id of your account, such as a Slack workspace's T0123456789")
	i.Settings, i.Secrets = o.settings()
	d.loader.integrations[d.key()] = i
}

func (d *document) runtime(o *object) {
	o.label()
	if o.ref("context_id", "integration", false, permissionContext) != nil {
		d.warn("context_id", "has no effect: everything runs in the account that it is deployed to, with roles of its own")
	}
}

func (d *document) errorLogger(o *object) {
	o.label()
	if i := o.ref("integration_id", "integration", true, "slack"); i != nil {
		d.integrationType("integration_id", i, "slack")
	}
	channel, ok := o.required("destination", `a Slack channel, such as "#sym-errors"`)
	if err := flow.CheckChannel(channel); ok && err != nil {
		d.fault("destination", "%s", flow.UserMessage(err))
	}
	d.loader.errorChannels[d.key()] = channel
}

// Types of integrations that stand for no service of their own: what is known of
// a service that we know nothing of, and a role in an account of AWS.
const (
	customIntegration = "custom"
	permissionContext = "permission_context"
)

// integrationType holds a reference to integrations of some types.
func (d *document) integrationType(path string, integration *document, want ...string) {
	if got := d.loader.integrations[integration.key()].Type; !slices.Contains(want, got) && got != "" {
		d.fault(path, "integration %q is of type %s: refer to one of type %s", integration.name, flow.Clip(got, maxQuoted), strings.Join(want, " or "))
	}
}

func (d *document) logDestination(o *object) {
	types := destination.Types()
	out := &flow.LogDestination{Name: d.name, Label: o.label(), Type: o.oneOf("type", slices.Sorted(maps.Keys(types)))}
	if d.byAPI() {
		out.ID = d.id
	}
	if i := o.ref("integration_id", "integration", false, append(slices.Clone(types[out.Type].Integration.Types), out.Type)...); i != nil {
		out.Integration = d.loader.integrations[i.key()]
	}
	out.Settings, out.Secrets = o.settings()
	o.refs("flows", "flow", nil, nil, func(_ string, f *document) { out.Flows = append(out.Flows, f.name) })
	for i, name := range o.texts("events") {
		if event := flow.EventName(name); slices.Contains(flow.EventNames, event) {
			out.Events = append(out.Events, event)
		} else if path := fmt.Sprintf("events[%d]", i); d.readable(path) {
			d.fault(path, "%q is no event%s: write names of events, such as approve", flow.Clip(name, maxQuoted), flow.DidYouMean(name, words(flow.EventNames)))
		}
	}
	if o.get("format") != nil {
		out.Format = flow.LogFormat(o.oneOf("format", words(flow.LogFormats)))
	}
	if out.Type != "" {
		for _, f := range destination.Check(*out) {
			d.follow(f)
		}
	}
	d.loader.logDestinations[d.key()] = out
}

// words gives names as texts.
func words[T ~string](names []T) (list []string) {
	for _, n := range names {
		list = append(list, string(n))
	}
	return list
}

func (d *document) target(o *object) {
	t := flow.Target{Name: d.name, Label: o.label()}
	own := d.id
	if own == "" {
		own = o.ownID()
	}
	if own != "" && own != flow.TargetID(d.loader.org, d.name) {
		t.ID = own
	}
	t.Type, _ = o.required("type", "the type that its strategy wants, such as aws_lambda_function")
	t.Settings = o.textMap("settings")
	for _, k := range slices.Sorted(maps.Keys(t.Settings)) {
		if namesSecret(k) {
			d.fault("settings."+k, "targets can't have secrets, because audit records show their settings: move it to the strategy or its integration")
		}
	}
	t.FieldBindings = o.texts("field_bindings")
	for i, name := range t.FieldBindings {
		if slices.Index(t.FieldBindings, name) < i {
			d.follow(flow.Fault{Path: fmt.Sprintf("field_bindings[%d]", i), Message: fmt.Sprintf("%q is there twice: remove one", flow.Clip(name, maxQuoted))})
		}
	}
	d.hidden = !o.flag("offered", true)
	if found := o.child("found"); found != nil {
		d.foundBy = found.scalar("strategy")
		found.scalar("label") // this, and the settings, as they were when local targets looked last
		found.textMap("settings")
		d.gone = found.scalar("gone") != ""
		found.done()
		d.used = true // it is there to be chosen from
	}
	d.loader.targets[d.key()] = t
}

// ownID reads the id of a target that has another one than its name gives it, as
// those may that the configuration API had before.
func (o *object) ownID() string {
	id, given := o.text("id")
	if !given {
		return ""
	}
	l := o.doc.loader
	if !flow.IsUUID(id) {
		o.doc.fault(o.at("id"), "%q is no id: leave it out, and the target gets one by its name", flow.Clip(id, maxQuoted))
		return ""
	}
	for _, other := range l.documents {
		theirs := value(other.node, "id")
		if other.kind == "target" && other != o.doc && (strings.EqualFold(id, flow.TargetID(l.org, other.name)) || theirs != nil && strings.EqualFold(id, theirs.Value)) {
			o.doc.fault(o.at("id"), "is that of target %q: leave it out, and the target gets one by its name", other.name)
		}
	}
	return strings.ToLower(id)
}

func (d *document) strategy(o *object) {
	l := d.loader
	s := &flow.Strategy{Name: d.name, Label: o.label(), ByAPI: d.byAPI()}
	s.Type = o.oneOf("type", slices.Sorted(maps.Keys(l.types)))
	typ, known := l.types[s.Type]
	integration := o.ref("integration_id", "integration", false, append(slices.Clone(typ.Integration.Types), s.Type)...)
	if integration != nil {
		s.Integration = l.integrations[integration.key()]
	}
	s.Settings, s.Secrets = o.settings()
	s.Implementation = o.source("implementation", d.name)
	if node := o.get("implementation"); node != nil && known && !typ.Implementation {
		d.fault("implementation", "goes with %s", l.typesWithImplementation())
	}
	targets := map[string]*document{}
	var gone, hidden []flow.Target // which nobody can ask for
	o.refs("targets", "target", typ.TargetNames(), d.found(typ), func(path string, t *document) {
		target := l.targets[t.key()]
		declared, granted := typ.Target(target.Type)
		target.Caution, target.Told = declared.CautionOf(s.Settings), declared.Told()
		if known && target.Type != "" && !granted {
			d.fault(path, "target %q is of type %s, and strategies of type %s grant targets of type %s only", t.name, flow.Clip(target.Type, maxQuoted), s.Type, strings.Join(typ.TargetNames(), " or "))
		}
		if first := targets[t.name]; first != nil {
			d.fault(path, "targets %s/%s and %s/%s of one strategy have one name, and so one id: give one of them another name", first.typ, first.name, t.typ, t.name)
		}
		targets[t.name] = t
		switch {
		case t.hidden:
			hidden = append(hidden, target)
		case t.gone:
			gone = append(gone, target)
		default:
			s.Targets = append(s.Targets, target)
		}
	})
	if len(s.Targets) == 0 && len(targets) > 0 {
		d.fault("targets", "there is nothing to grant: each of them says offered: false, or is gone")
	}
	if node := value(o.node, "targets"); node == nil || node.Kind == yaml.SequenceNode && len(node.Content) == 0 {
		d.fault("targets", "there is nothing to grant: list documents of kind target")
	}
	granting := *s
	granting.Targets = slices.Concat(s.Targets, gone)
	l.granting[d.key()] = granting
	if known {
		whole := granting
		whole.Targets = slices.Concat(granting.Targets, hidden)
		for _, f := range typ.Check(whole) {
			at := d
			if rest, ok := strings.CutPrefix(f.Path, "targets."); ok {
				name, rest, _ := strings.Cut(rest, ".")
				if t := targets[name]; t != nil {
					at, f.Path = t, rest
				}
			} else if rest, ok := strings.CutPrefix(f.Path, "integration."); ok && integration != nil {
				at, f.Path = integration, rest
			}
			at.follow(f)
		}
	}
	l.strategies[d.key()] = s
}

// typesWithImplementation names the strategy types that have an implementation.
func (l *loader) typesWithImplementation() string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(l.types)) {
		if l.types[name].Implementation {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "no strategy: remove it"
	}
	types := strings.Join(names, " or ")
	return fmt.Sprintf("strategies of type %s only: remove it, or set type to %s", types, types)
}

func (d *document) environment(o *object) {
	l := d.loader
	e := &flow.Environment{Name: d.name, Label: o.label()}
	o.ref("runtime_id", "runtime", false)
	e.Integrations = o.integrations()
	if logger := o.ref("error_logger_id", "error_logger", false); logger != nil {
		e.ErrorChannel = l.errorChannels[logger.key()]
	} else if d.readable("error_logger_id") {
		d.warn("", "has no error_logger_id: failures are shown to the requester only, and in the logs")
	}
	o.refs("log_destination_ids", "log_destination", nil, nil, func(_ string, to *document) {
		named := l.logDestinations[to.key()]
		named.Environments = append(named.Environments, d.name)
	})
	e.Admins = o.texts("admins")
	for i, email := range e.Admins {
		if err := flow.CheckEmail(email); err != nil {
			d.follow(flow.Fault{Path: fmt.Sprintf("admins[%d]", i), Message: flow.UserMessage(err)})
		}
	}
	e.LambdaARNs = o.texts("lambda_arns")
	for i, arn := range e.LambdaARNs {
		if err := flow.CheckFunctionARN(arn); err != nil {
			d.follow(flow.Fault{Path: fmt.Sprintf("lambda_arns[%d]", i), Message: flow.UserMessage(err)})
		}
	}
	l.environments[d.key()] = e
}

// integrations reads the map of integrations by service.
func (o *object) integrations() map[string]flow.Integration {
	c, d := o.child("integrations"), o.doc
	if c == nil {
		return nil
	}
	var out map[string]flow.Integration
	for i := 0; i < len(c.node.Content); i += 2 {
		key := c.node.Content[i].Value
		service, ok := strings.CutSuffix(key, "_id")
		if !ok || service == "" {
			c.get(key)
			d.fault(c.at(key), "names no service: write <service>_id, such as slack_id")
			continue
		}
		types := []string{service, customIntegration}
		if strings.HasPrefix(service, "aws_") {
			types = append(types, permissionContext)
		}
		integration := c.ref(key, "integration", true, types...)
		if integration == nil {
			continue
		}
		d.integrationType(c.at(key), integration, types...)
		if out == nil {
			out = map[string]flow.Integration{}
		}
		out[service] = *d.loader.integrations[integration.key()]
	}
	return out
}

func (d *document) flowsFilter(o *object) {
	f := &flow.FlowsFilter{Implementation: o.source("implementation", kindFilter), Vars: o.vars(), Integrations: o.integrations()}
	if err := f.Check(); err != nil && d.readable("implementation") {
		d.fault("implementation", "%s", flow.UserMessage(err))
	}
	d.loader.filter = f
}

func (d *document) flow(o *object) {
	l := d.loader
	d.expandJSON()
	f := &flow.Flow{Org: l.org, Name: d.name}
	f.Label, _ = o.text("label")
	env := o.ref("environment_id", "environment", true)
	if env != nil {
		f.Environment = *l.environments[env.key()]
	} else {
		// What the environment allows is not known.
		d.faulty["params.on_approve.lambda_arn"] = true
		d.faulty["params.after_approve.lambda_arn"] = true
		d.faulty["params.approval.required"] = true
	}
	f.Vars = o.vars()
	f.Implementation = o.source("implementation", d.name)
	if f.Isolated = o.flag("isolated", false); f.Isolated && d.byAPI() {
		d.fault("isolated", "takes a function of its own, which only a deploy can make: keep the flow in the files of the deployment, or remove it")
	}
	params := o.child("params")
	if params == nil {
		params = &object{doc: d, node: &yaml.Node{Kind: yaml.MappingNode}, path: "params"}
	}
	f.Strategy = params.strategy()
	f.Params = params.params()
	params.done()
	for _, fault := range f.Validate() {
		if fault.Path != "name" { // checked when the document was registered
			d.follow(fault)
		}
	}
	byHandler := f.Implementation.Defines(flow.HandlerPermissions)
	if len(f.Params.Approval.Approvers) == 0 && d.readable("params.approval.approvers") && !byHandler {
		d.warn("params.approval", "has no approvers: every member of the workspace may approve; name them in approvers")
	}
	if d.readable("params.approval") {
		for _, name := range f.Powerless(nil) {
			d.warn("params."+name.Path, "%s is asked and may not approve, so that their click is refused: name user:%s in approvers, or ask somebody else", flow.Clip(name.Name, maxQuoted), flow.Clip(name.Name, maxQuoted))
		}
	}
	if s := f.Params.AllowedSources; s != nil && len(*s) == 0 {
		d.warn("params.allowed_sources", "is empty: the flow can't be started at all")
	}
	for _, other := range l.flows {
		if shared := sharesCode(f, other); shared != "" {
			d.fault("params.strategy_id", "flows %q and %q share the Python of strategy %q, and one of them is isolated: its code would run with the rights of both; give each a strategy of its own", other.Name, f.Name, shared)
		}
	}
	f.Places = places(f, d, env)
	l.flows = append(l.flows, f)
	l.flowOf[d] = f
}

// placeOf says where people find a path of the document.
func (d *document) placeOf(path string) string {
	if d.id == "" {
		return fmt.Sprintf("%s:%d", d.file, locate(d.node, path))
	}
	if d.entity.File != "" {
		return d.entity.File
	}
	return describe(d.kind, d.name, path, "")
}

// places finds where the documents of a flow and of its environment name people,
// groups, channels and the workspace of Slack.
func places(f *flow.Flow, d, env *document) map[string]string {
	found := map[string]string{}
	for _, name := range f.SlackNames() {
		at, there := d, "params."+name.Path
		if flow.OfEnvironment(name.Path) {
			at, there = env.names(name.Path)
		}
		if at != nil {
			found[name.Path] = at.placeOf(there)
		}
	}
	return found
}

// names finds what an environment says of Slack: the document, and where in it.
// The document is nil if it has a fault there.
func (d *document) names(path string) (*document, string) {
	if d == nil {
		return nil, ""
	}
	switch path {
	case flow.PathErrorChannel:
		return d.refers["error_logger_id"], "destination"
	case flow.PathWorkspace:
		return d.refers["integrations.slack_id"], "external_id"
	}
	return d, path
}

// sharesCode names the strategy whose Python two flows share of which one is
// isolated; "" if there is none.
func sharesCode(f, other *flow.Flow) string {
	if (f.Isolated || other.Isolated) && f.Strategy != nil && other.Strategy != nil &&
		f.Strategy.Implementation != nil && f.Strategy.Name == other.Strategy.Name && f.Strategy.Type == other.Strategy.Type {
		return f.Strategy.Name
	}
	return ""
}

// strategy reads strategy_id. It returns nil if the flow is approval-only.
func (o *object) strategy() *flow.Strategy {
	if node := value(o.node, "strategy_id"); node != nil && node.ShortTag() == "!!str" && node.Value == "" {
		o.get("strategy_id")
		return nil // Sym takes an empty strategy_id for an absent one
	}
	if d := o.ref("strategy_id", "strategy", false); d != nil {
		s := *o.doc.loader.strategies[d.key()]
		return &s
	}
	if !o.doc.readable(o.at("strategy_id")) {
		return &flow.Strategy{} // an access flow all the same
	}
	return nil
}

func (o *object) params() flow.Params {
	p := flow.Params{
		AllowRevoke:           o.flag("allow_revoke", true),
		ScheduleDeescalation:  o.flag("schedule_deescalation", true),
		AllowGuestInteraction: o.flag("allow_guest_interaction", false),
		IncludeDecision:       o.flag("include_decision_message", false),
		MaxDuration:           o.duration("max_duration"),
		HandlerTimeout:        o.duration("handler_timeout"),
		ApproveWith:           o.child("approve_with").approveWith(),
		OnBehalf:              o.flag("on_behalf", false),
		OnApprove:             o.child("on_approve").lambdaCall(),
		AfterApprove:          o.child("after_approve").lambdaCall(),
		Approval:              o.child("approval").approval(),
		Extend:                o.child("extend").extend(),
		NoReminders:           !o.flag("reminders", true),
		BreakGlass:            o.child(flow.KeyBreakGlass).breakGlass(),
		StartAt:               o.child(flow.KeyStartAt).startAt(),
		Agents:                o.child("agents").agents(),
	}
	p.AdditionalHeaderText, _ = o.text("additional_header_text")
	sources := []flow.Channel{}
	if o.list("allowed_sources", "a list of slack and api", func(path string, n *yaml.Node) {
		s, _ := o.textOf(path, n)
		sources = append(sources, flow.Channel(s))
	}) {
		p.AllowedSources = &sources
	}
	for _, field := range o.children("prompt_fields") {
		p.PromptFields = append(p.PromptFields, field.promptField())
	}
	return p
}

func (o *object) promptField() flow.PromptField {
	if o == nil {
		return flow.PromptField{}
	}
	p := flow.PromptField{
		Required: o.flag("required", true), Visible: o.flag("visible", true), Prefetch: o.flag("prefetch", false),
		Default: o.scalar("default"), AllowedValues: o.scalars("allowed_values"),
	}
	p.Name, _ = o.text("name")
	typ, _ := o.text("type")
	p.Type = flow.FieldType(typ)
	p.Label, _ = o.text("label")
	p.OnChange = o.source("on_change", "on_change_"+p.Name)
	if p.Name == flow.FieldNameTarget && len(p.AllowedValues) > 0 {
		o.doc.warn(o.at("allowed_values"), "has no effect: target_id offers the strategy's targets")
		p.AllowedValues = nil
	}
	o.done()
	return p
}

func (o *object) approval() flow.Approval {
	if o == nil {
		return flow.Approval{Required: 1}
	}
	a := flow.Approval{
		Approvers: o.texts("approvers"), AllowSelfApproval: o.flag("allow_self_approval", false), Required: o.number("required", 1),
	}
	a.Notify = o.notify()
	o.done()
	return a
}

func (o *object) approveWith() flow.ApproveWith {
	if o == nil {
		return flow.ApproveWith{}
	}
	with := flow.ApproveWith{Duration: o.flag("duration", false), Target: o.flag("target", false)}
	o.done()
	return with
}

func (o *object) extend() *flow.Extend {
	if o == nil {
		return nil
	}
	x := &flow.Extend{Max: o.number("max", 1), For: o.durations("for"), Approval: flow.ExtendSame}
	if who, given := o.text("approval"); given {
		x.Approval = who
	}
	o.done()
	return x
}

// notify reads whom messages go to.
func (o *object) notify() []flow.Notify {
	var list []flow.Notify
	for _, each := range o.children("notify") {
		n := flow.Notify{}
		if each != nil {
			n.Channel, _ = each.text("channel")
			n.Users, n.Timeout = each.texts("users"), each.duration("timeout")
			each.done()
		}
		list = append(list, n)
	}
	return list
}

func (o *object) breakGlass() *flow.BreakGlassParams {
	if o == nil {
		return nil
	}
	b := &flow.BreakGlassParams{Who: o.texts("who"), Reason: flow.ReasonRequired, Duration: o.duration("duration"), Notify: o.notify()}
	if reason, given := o.text("reason"); given {
		b.Reason = reason
	}
	o.done()
	return b
}

func (o *object) startAt() *flow.StartAtParams {
	if o == nil {
		return nil
	}
	s := &flow.StartAtParams{Max: o.duration("max")}
	o.done()
	return s
}

func (o *object) agents() *flow.AgentParams {
	if o == nil {
		return nil
	}
	a := &flow.AgentParams{MaxDuration: o.duration("max_duration"), Purpose: flow.PurposeRequired}
	if purpose, given := o.text(flow.KeyPurpose); given {
		a.Purpose = purpose
	}
	o.done()
	return a
}

func (o *object) lambdaCall() *flow.LambdaCall {
	if o == nil {
		return nil
	}
	c := &flow.LambdaCall{Payload: o.json("payload")}
	c.ARN, _ = o.required("lambda_arn", "the ARN of a function")
	o.done()
	return c
}
