package entity

// Plain gives the attributes as people write them: with what name gives in the place of
// each reference, and without what is so anyway if nothing is said.
func (e Entity) Plain(name func(Ref) string) map[string]any {
	v := e.values()
	e.eachRef(v, name)
	if params, ok := v["params"].(map[string]any); ok && e.Kind == KindFlow {
		spare(params, paramDefaults)
		fields, _ := params["prompt_fields"].([]any)
		for _, f := range fields {
			if field, ok := f.(map[string]any); ok {
				spare(field, fieldDefaults)
			}
		}
		drop(v, "params")
	}
	return v
}

// spare leaves out what says the same as nothing.
func spare(v map[string]any, defaults values) {
	for name, value := range defaults {
		if flag, ok := value.(bool); ok && v[name] == flag {
			delete(v, name)
		}
		if _, text := value.(string); text {
			drop(v, name)
		}
	}
}
