// Package policy reads what people expect of flows: the files *.policy.yaml beside
// them, each with cases of one flow, and tells what a case gets instead.
//
//	file.go       a file, and its faults
//	directory.go  the people and groups of a file, for what is decided without a workspace
//	check.go      a case, and the explanation of what happens in it
//
// It decides nothing: whoever runs the cases asks workflow.Explain, which lets the code
// that decides in runs decide.
package policy
