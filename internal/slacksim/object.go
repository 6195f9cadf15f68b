package slacksim

// object is a JSON object of Slack's: a block, an element, a view, an answer.
// Once it is stored it is never changed, only replaced, so it may be shared.
type object = map[string]any

// text gives the string at a path of keys, "" where there is none.
func text(o object, path ...string) string {
	for _, key := range path[:len(path)-1] {
		o = child(o, key)
	}
	s, _ := o[path[len(path)-1]].(string)
	return s
}

func child(o object, key string) object {
	c, _ := o[key].(object)
	return c
}

// objects gives the objects of a list; whatever else is in it is left out.
func objects(o object, key string) []object {
	list, _ := o[key].([]any)
	out := make([]object, 0, len(list))
	for _, item := range list {
		if c, ok := item.(object); ok {
			out = append(out, c)
		}
	}
	return out
}

func flag(o object, key string) bool {
	b, _ := o[key].(bool)
	return b
}

func number(o object, key string) (int, bool) {
	f, ok := o[key].(float64)
	return int(f), ok
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, item := range list {
		out[i] = item
	}
	return out
}
