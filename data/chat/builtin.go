package chat

import "fmt"

// Builtins lists the names that Builtin knows, sorted.
func Builtins() []string { return []string{"chatml", "gemma", "llama3", "plain", "zephyr"} }

// Builtin compiles one of the templates of this package: chatml, gemma, llama3,
// plain or zephyr. All have generation markers.
func Builtin(name string, o Options) (*Template, error) {
	source, ok := builtins[name]
	if !ok {
		return nil, fmt.Errorf("chat: built-in template: got %q, want one of %v", name, Builtins())
	}
	return Parse(name, source, o)
}

var builtins = map[string]string{}
