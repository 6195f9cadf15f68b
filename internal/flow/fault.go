package flow

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	// Path leads to it: "params.prompt_fields[1].name"; "" is the whole document.
	Path string
	// Message says what is wrong and what to write instead.
	Message string
}
