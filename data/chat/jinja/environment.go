package jinja

import "sync"

// environment holds what templates can name. It never changes once made.
type environment struct {
	filters, tests map[string]*builtin
	globals        map[string]Value
	methods        map[string]map[string]*builtin // by type, then name
}

// environments makes the one environment of the process on first use; it is not a
// plain variable because its functions refer to each other.
var environments = sync.OnceValue(newEnvironment)

func newEnvironment() *environment {
	env := &environment{
		filters: table(textFilters, shapeFilters, htmlFilters, listFilters, orderFilters, selectFilters, numberFilters, jsonFilters),
		tests:   table(valueTests, typeTests),
		globals: make(map[string]Value),
		methods: map[string]map[string]*builtin{
			"str":     table(stripMethods, splitMethods, findMethods, caseMethods, padMethods, classMethods, formatMethods),
			"dict":    table(dictMethods, copyMethod),
			"list":    table(listMethods, copyMethod),
			"tuple":   table(listMethods),
			"range":   table(listMethods),
			"int":     table(numberMethods),
			"float":   table(floatMethods),
			"Cycler":  table(cyclerMethods),
			"unknown": {},
		},
	}
	for _, b := range globals {
		env.globals[b.name] = b
	}
	alias(env.filters, map[string]string{"d": "default", "count": "length", "e": "escape"})
	alias(env.tests, map[string]string{
		"equalto": "eq", "==": "eq", "!=": "ne", ">": "gt", "greaterthan": "gt", ">=": "ge",
		"<": "lt", "lessthan": "lt", "<=": "le",
	})
	methods := env.methods["str"]
	env.methods["Markup"] = table(markupMethods)
	for name, b := range methods {
		env.methods["Markup"][name] = escaping(b)
	}
	env.methods["bool"] = env.methods["int"]
	return env
}

func alias(t map[string]*builtin, names map[string]string) {
	for name, of := range names {
		t[name] = t[of]
	}
}
