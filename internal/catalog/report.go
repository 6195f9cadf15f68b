package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Report is all that was found in a configuration. Faults make it unusable,
// warnings do not. It is an error; see Err.
type Report struct {
	Faults   []Fault
	Warnings []Fault
}

// Fault is one finding: where, what is wrong and what to write instead. It is in a file,
// or in an entity.
type Fault struct {
	File string // as it was opened; "" where no file is to blame
	Line int    // from 1

	Kind, Name, ID string // of the entity; "" where none is to blame
	Path           string // in it, such as params.strategy_id; "" for all of it
	What           string // the message without these

	Message string
}

func (f Fault) String() string {
	switch {
	case f.File == "":
		return f.Message
	case f.Line == 0:
		return f.File + ": " + f.Message
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
}

// Err gives the report as an error if there are faults, else nil.
func (r Report) Err() error {
	if len(r.Faults) == 0 {
		return nil
	}
	return r
}

// Error lists the faults, one a line.
func (r Report) Error() string {
	n := fmt.Sprintf("%d faults", len(r.Faults))
	if len(r.Faults) == 1 {
		n = "1 fault"
	}
	return n + " in the configuration:\n" + strings.TrimSuffix(Report{Faults: r.Faults}.String(), "\n")
}

// String lists the faults and then the warnings, one a line.
func (r Report) String() string {
	var b strings.Builder
	for _, f := range r.Faults {
		fmt.Fprintln(&b, f)
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(&b, "warning:", w)
	}
	return b.String()
}

// sort puts findings in the order of files and lines, each once.
func (r *Report) sort() {
	for _, list := range []*[]Fault{&r.Faults, &r.Warnings} {
		slices.SortFunc(*list, func(a, b Fault) int {
			return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
				strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID), strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
		})
		*list = slices.Compact(*list)
	}
}
