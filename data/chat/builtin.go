package chat

import (
	"embed"
	"fmt"
	"slices"
)

// templates holds one file for each built-in template.
//
//go:embed templates/*.jinja
var templates embed.FS

// Builtins lists the names that Builtin knows, sorted.
func Builtins() []string { return []string{"chatml", "gemma", "llama3", "plain", "zephyr"} }

// Builtin compiles one of the templates of this package, for models that bring
// none: chatml, gemma, llama3, plain or zephyr. All have generation markers; a
// span holds what the assistant says and the token that ends it, not the line end
// behind that token, which no model writes.
//
// The formats are those of the families they are named after; plain reads
// "User: …\nAssistant: …". Content may be a text, null or a list of text parts.
// Tools and tool calls raise: these formats have no place for them.
func Builtin(name string, o Options) (*Template, error) {
	if !slices.Contains(Builtins(), name) {
		return nil, fmt.Errorf("chat: built-in template: got %q, want one of %v", name, Builtins())
	}
	source, err := templates.ReadFile("templates/" + name + ".jinja")
	if err != nil {
		return nil, fmt.Errorf("chat: built-in template %q: %w", name, err)
	}
	return Parse(name, string(source), o)
}
