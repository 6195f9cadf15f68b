package main

import (
	"fmt"

	"github.com/symflows/symflows/internal/flow"
)

// unsent warns of log destinations that a deployment in AWS does not send to: of all of
// them, for its log is not followed yet.
func unsent(list []flow.LogDestination) (warnings []string) {
	for _, d := range list {
		warnings = append(warnings, fmt.Sprintf("log_destination %q: is sent nothing by a deployment in AWS, whose records go to its own bucket: forward them from there", d.Name))
	}
	return warnings
}
