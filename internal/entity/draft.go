package entity

// Draft is what an entity of the files is to be. It refers to others by their keys, as
// long as these have no ids.
type Draft struct {
	Entity Entity // without attributes, and without an id but for one that the files give it
	Key    string // no other draft has it
	// Attributes writes them, with the id of each key. Of one that gives "" the
	// references are left out.
	Attributes func(id func(key string) string) []byte
}
