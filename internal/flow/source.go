package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Source is customers' Python as a version of a flow keeps it: editing the
// file later does not change runs that have begun.
type Source struct {
	// Name is what people know it by in messages: "impl.py".
	Name string `json:"name"`
	// Text is the code. A strategy that is frozen into a run goes without: the
	// run's version of the flow has it.
	Text   string `json:"text,omitempty"`
	SHA256 string `json:"sha256"` // of the text, in hexadecimal
	// Handlers are the names that the code defines, as the runner tells them.
	// Nil says that the code was not read yet, so that every step asks it.
	Handlers []string `json:"handlers,omitempty"`
}

// MaxSourceBytes bounds one source. A version of a flow, with all its sources
// and targets, is one item of at most 400 KB in DynamoDB; Python compresses to
// less than a third.
const MaxSourceBytes = 256 << 10

// NewSource keeps a text under a name.
func NewSource(name, text string) *Source {
	sum := sha256.Sum256([]byte(text))
	return &Source{Name: name, Text: text, SHA256: hex.EncodeToString(sum[:])}
}

// Defines tells whether the code may define a handler. Nil defines none.
func (s *Source) Defines(handler string) bool {
	return s != nil && (s.Handlers == nil || slices.Contains(s.Handlers, handler))
}

// check says what is wrong with the text, whatever it means.
func (s *Source) check() error {
	switch {
	case s.Text == "":
		return Errorf(CodeInvalid, "is empty: write Python, or the path of a file ending in .py")
	case len(s.Text) > MaxSourceBytes:
		return Errorf(CodeTooLarge, "%s has %d KB: a source may have %d KB, so move what is not needed out of it", s.Name, (len(s.Text)+1023)>>10, MaxSourceBytes>>10)
	case !utf8.ValidString(s.Text):
		return Errorf(CodeInvalid, "%s is not UTF-8 text: save it as UTF-8", s.Name)
	}
	return nil
}

// CheckStrategySource finds what is wrong with the code of a custom strategy.
func CheckStrategySource(s *Source) error {
	if s == nil {
		return Errorf(CodeInvalid, "is missing: write the path of a Python file with a class that extends AccessStrategy")
	}
	if err := s.check(); err != nil || s.Handlers == nil {
		return err
	}
	var classes []string
	for _, h := range s.Handlers {
		if class, ok := strings.CutPrefix(h, StrategyClass); ok {
			classes = append(classes, class)
		}
	}
	if len(classes) != 1 {
		return Errorf(CodeInvalid, "%s has %d classes that extend AccessStrategy: it must have exactly one", s.Name, len(classes))
	}
	return nil
}

// SourceError says where a source is wrong, as Python found when it read it.
type SourceError struct {
	Line    int // from 1; 0: not known
	Message string
}

func (e *SourceError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return "line " + strconv.Itoa(e.Line) + ": " + e.Message
}

// Outline is what a look at a source finds.
type Outline struct {
	Handlers []string       // as of Source
	Warnings []*SourceError // what is allowed, but surely not what was meant
}
