package strategy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

// Type is a kind of strategy as configurations name it: all that is to be known
// of it before it is opened. Configurations are checked by it, the role of the
// function that grants is written by it, and docs/strategies.md lists it.
type Type struct {
	Name        string // the strategy's type: "aws_lambda"
	Noun        string // what it is a type of, in what is wrong with one; "" for a strategy
	About       string // what it calls to grant and to remove, for the guide
	Integration Integration
	Settings    Settings     // of the strategy
	Targets     []TargetType // at least one
	// Implementation says that Python goes with the strategy; then it must.
	Implementation bool
	// Observes says that the strategy reads its targets back (it is an [Observer]).
	// Only then is what was there before us known, and kept.
	Observes bool
	// Rules finds what the shapes of settings can't say, after they were found
	// to hold or not; nil: nothing. For the paths of faults see [Type.Check].
	Rules func(flow.Strategy) []flow.Fault
	// Rights says what the strategy needs in AWS as it is configured, with its
	// targets; nil: nothing. It must bear a configuration that has faults.
	Rights func(flow.Strategy) Rights
}

// Integration says which integration goes with a strategy. The zero value is
// none.
type Integration struct {
	Need  Need
	Types []string // those that it may have; empty: any
	// Settings are those that the strategy looks at. There may be others: an
	// integration serves handlers, too.
	Settings []Setting
	// SignIns are the ways to sign in to a vendor, the one to prefer first, for the
	// guide.
	SignIns []SignIn
}

// SignIn is a way to sign in to a vendor.
type SignIn struct {
	By string // "an app with a private key in AWS KMS"
	// Secret is the setting that names the secret which is kept for it, "" if none
	// is, and Why says why it has to be.
	Secret, Why string
}

// Need says whether something must be there.
type Need int

// The needs.
const (
	None Need = iota // must not be there
	Optional
	Required
)

// TargetType is a kind of target.
type TargetType struct {
	Name     string // "aws_lambda_function"
	Settings Settings
	// Values are what a person can have of a thing, in a system that keeps one of
	// them for each person: a permission, a role. They go from the least to the
	// most. The entitlement of such a target is the thing, whatever the value, and
	// has the value that the target asks for. Empty: they have it or not.
	Values []string
	// Expires says that the system ends access by itself when it is told to:
	// Grant sets Call.Until, and a Sight has what is set.
	Expires bool
	// Caution is what the end of access does at the system besides: people read it
	// where they ask, and before they decide. "": nothing.
	Caution string
	// Closes is the same of a strategy whose setting end_sessions is "true".
	Closes string
	Habits Habits
}

// SettingEndSessions is the setting of strategies by which a person's sessions are
// ended with their access, where a system lets one do that without hitting others.
const SettingEndSessions = "end_sessions"

// Told lists the settings that those who decide are shown, in their order.
func (t TargetType) Told() []flow.ToldSetting {
	var told []flow.ToldSetting
	for _, s := range t.Settings.Known {
		if s.Label != "" {
			told = append(told, flow.ToldSetting{Setting: s.Name, Label: s.Label})
		}
	}
	return told
}

// CautionOf is what the end of access does besides, as a strategy is set.
func (t TargetType) CautionOf(settings map[string]string) string {
	if settings[SettingEndSessions] != "true" || t.Closes == "" {
		return t.Caution
	}
	return strings.TrimSpace(t.Caution + " " + t.Closes)
}

// Habits are what a system does with access of a kind, for the guide. All of
// them are said of a type that observes.
type Habits struct {
	Before  string // what becomes of what was there before the first grant
	Expiry  string // whether the system ends access by itself
	Lingers string // how long sessions go on after the removal
	Limit   string // how fast the system may be asked, and what keeps to that
}

// Settings is the shape of what may stand under "settings".
type Settings struct {
	Known []Setting // in the order in which people read of them
	// Others says what may stand there besides, for people; "" if nothing may.
	Others string
}

// Setting is one of the settings that a strategy knows.
type Setting struct {
	Name string // one that ends in _secret or secret_id names a secret
	// About says what it is, for error messages and the guide: "the ARN of the
	// function that grants this target".
	About string
	// Label is what the setting of a target is called where people read its value
	// before they decide a request: "Account". "" for what means nothing to them.
	Label    string
	Required bool
	// Check finds what is wrong with the shape of a value that is not empty: the
	// error's user message says what to write instead. nil: any text is right.
	Check func(value string) error
	// Bindable says that field_bindings may name the setting: the requester then
	// chooses its value.
	Bindable bool
	// Sole says that one request can have one value only: the system keeps one for
	// each person, so that lists of several are refused.
	Sole bool
}

// SettingExclusive is the setting of a target by which its owner says that all
// access there is given by us: whoever else has it is then told of by name.
const SettingExclusive = "exclusive"

// Exclusive declares it, for the targets of all types that observe.
var Exclusive = Setting{
	Name: SettingExclusive, About: `"true": nobody is to have this access but by a request here, so that whoever else has it is reported by name; "false" unless set`,
	Check: CheckBoolean,
}

// CheckBoolean holds a text to "true" or "false". The error has flow.CodeInvalid.
func CheckBoolean(v string) error {
	if v == "true" || v == "false" {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, `must be "true" or "false"`)
}

// Form makes a check of the form of values. The error has flow.CodeInvalid and says
// what to write: "the 12 digits of an account".
func Form(of pattern.Pattern, like string) func(string) error {
	return func(v string) error {
		if of.MatchString(v) {
			return nil
		}
		return flow.Errorf(flow.CodeInvalid, "must be %s", like)
	}
}

// Target finds a type of target; false: the strategy does not grant those.
func (t Type) Target(name string) (TargetType, bool) {
	i := slices.IndexFunc(t.Targets, func(tt TargetType) bool { return tt.Name == name })
	if i < 0 {
		return TargetType{}, false
	}
	return t.Targets[i], true
}

func (t Type) noun() string { return cmp.Or(t.Noun, "strategy") }

// TargetNames lists the types of targets that the strategy grants.
func (t Type) TargetNames() []string {
	var names []string
	for _, tt := range t.Targets {
		names = append(names, tt.Name)
	}
	return names
}

// Check finds all that is wrong with a strategy and its targets, before
// anything runs. Paths are relative to the strategy's document ("settings.url"),
// to a target's ("targets.orders-db.settings.arn") or to the integration's
// ("integration.settings.role_arn"). Targets of a type that the strategy does
// not grant are left out: that they are listed is a fault of the list.
func (t Type) Check(s flow.Strategy) []flow.Fault {
	faults := t.checkIntegration(s.Integration)
	if t.Implementation {
		if err := flow.CheckStrategySource(s.Implementation); err != nil {
			faults = append(faults, flow.Fault{Path: "implementation", Message: flow.UserMessage(err)})
		}
	}
	owner := "a " + t.noun() + " of type " + t.Name
	hint := ""
	for _, tt := range t.Targets {
		if tt.Settings.Others != "" {
			hint = "; " + tt.Settings.Others + " belongs to the targets' settings"
		}
	}
	faults = append(faults, t.Settings.unknown("settings", owner, hint, keys(s.Settings, s.Secrets))...)
	faults = append(faults, shapes(t.Settings.Known, "settings", s.Settings, s.Secrets, nil)...)
	for _, target := range s.Targets {
		tt, ok := t.Target(target.Type)
		if !ok {
			continue
		}
		at, owner := "targets."+target.Name, "a target of type "+tt.Name
		faults = append(faults, tt.Settings.unknown(at+".settings", owner, "", keys(target.Settings, nil))...)
		faults = append(faults, shapes(tt.Settings.Known, at+".settings", target.Settings, nil, target.FieldBindings)...)
		faults = append(faults, tt.Settings.bindings(at+".field_bindings", owner, target.FieldBindings)...)
	}
	if t.Rules != nil {
		faults = append(faults, t.Rules(s)...)
	}
	return faults
}

// CheckBound finds what is wrong with the settings of a target that a request
// filled in, by [flow.Target.Bind], of each where there are several. It returns nil
// if they are as the type's settings are to be. The error has flow.CodeInvalid, and
// names the settings, whose fields have the same names.
func (t Type) CheckBound(target flow.Target) error {
	if len(target.FieldBindings) == 0 {
		return nil
	}
	tt, ok := t.Target(target.Type)
	if !ok {
		return flow.Errorf(flow.CodeInvalid, "%s is of type %q, which a strategy of type %s does not grant", target.Title(), target.Type, t.Name)
	}
	var fields []flow.FieldError
	for _, k := range tt.Settings.Known {
		if !slices.Contains(target.FieldBindings, k.Name) {
			continue
		}
		var checked []string // several targets may have a value
		for _, one := range target.All() {
			value := one.Settings[k.Name]
			if slices.Contains(checked, value) {
				continue
			}
			checked = append(checked, value)
			if k.Sole && len(checked) == 2 {
				fields = append(fields, flow.FieldError{Field: k.Name, Message: "takes one value only: there can't be several of it for one person"})
			}
			for _, fault := range shapes([]Setting{k}, "", one.Settings, nil, nil) {
				message := fault.Message
				if _, listed := target.Settings[k.Name]; !listed && len(target.Each) > 0 {
					message = fmt.Sprintf("%q %s", flow.Clip(value, maxQuoted), message)
				}
				if len(fields) < maxFaults {
					fields = append(fields, flow.FieldError{Field: k.Name, Message: message})
				}
			}
		}
	}
	if len(fields) > 0 {
		return &flow.Error{Code: flow.CodeInvalid, Message: "some fields are not right", Fields: fields}
	}
	return nil
}

// What people are told of the values that they have written.
const (
	maxQuoted = 60 // characters of one
	maxFaults = 10
)

func (t Type) checkIntegration(i *flow.Integration) []flow.Fault {
	fault := func(format string, args ...any) []flow.Fault {
		return []flow.Fault{{Path: "integration_id", Message: fmt.Sprintf(format, args...)}}
	}
	types := strings.Join(t.Integration.Types, " or ")
	switch {
	case i == nil && t.Integration.Need == Required && types != "":
		return fault("is missing: write the name of a document of kind integration, of type %s", types)
	case i == nil && t.Integration.Need == Required:
		return fault("is missing: write the name of a document of kind integration")
	case i == nil:
		return nil
	case t.Integration.Need == None:
		return fault("does not go with a %s of type %s: remove it", t.noun(), t.Name)
	case types != "" && i.Type != "" && !slices.Contains(t.Integration.Types, i.Type):
		return fault("integration %q is of type %s: refer to one of type %s", i.Name, i.Type, types)
	}
	return shapes(t.Integration.Settings, "integration.settings", i.Settings, i.Secrets, nil)
}

// shapes finds what is wrong with the values of settings that are known.
// Settings that are bound get their values later.
func shapes(known []Setting, path string, values map[string]string, secrets map[string]flow.SecretRef, bound []string) []flow.Fault {
	var faults []flow.Fault
	for _, k := range known {
		value, at := values[k.Name], path+"."+k.Name
		if _, isSecret := secrets[k.Name]; isSecret {
			continue // its value is nowhere here
		}
		switch {
		case value != "" && k.Check != nil:
			if err := k.Check(value); err != nil {
				faults = append(faults, flow.Fault{Path: at, Message: flow.UserMessage(err)})
			}
		case value == "" && k.Required && !slices.Contains(bound, k.Name):
			faults = append(faults, flow.Fault{Path: at, Message: "is required: " + k.About})
		}
	}
	return faults
}

// unknown finds the names that there are no settings of.
func (s Settings) unknown(path, owner, hint string, names []string) []flow.Fault {
	if s.Others != "" {
		return nil
	}
	var faults []flow.Fault
	for _, name := range names {
		if !slices.Contains(s.names(), name) {
			faults = append(faults, flow.Fault{Path: path + "." + name, Message: s.no(name, owner) + hint})
		}
	}
	return faults
}

// bindings finds what must not be left to requesters.
func (s Settings) bindings(path, owner string, bound []string) []flow.Fault {
	var faults []flow.Fault
	for _, name := range bound {
		i := slices.IndexFunc(s.Known, func(k Setting) bool { return k.Name == name })
		switch {
		case i < 0 && s.Others == "":
			faults = append(faults, flow.Fault{Path: path, Message: fmt.Sprintf("%q %s", name, s.no(name, owner))})
		case i >= 0 && !s.Known[i].Bindable:
			faults = append(faults, flow.Fault{Path: path, Message: fmt.Sprintf("%q must not be bound to a field: requesters would choose it", name)})
		}
	}
	return faults
}

// no says that there is no such setting, and which there are.
func (s Settings) no(name, owner string) string {
	there := "there are none, so remove it"
	switch names := s.names(); len(names) {
	case 0:
	case 1:
		there = "it has only " + names[0]
	default:
		there = "it has " + strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return fmt.Sprintf("is no setting of %s%s: %s", owner, flow.DidYouMean(name, s.names()), there)
}

func (s Settings) names() []string {
	var names []string
	for _, k := range s.Known {
		names = append(names, k.Name)
	}
	return names
}

// keys lists the settings that there are, in order. Listed secrets
// (flow.ListedSecret) stand under the one setting that lists them.
func keys(values map[string]string, secrets map[string]flow.SecretRef) []string {
	names := slices.Collect(maps.Keys(values))
	for name := range secrets {
		name, _, _ = strings.Cut(name, ".")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
