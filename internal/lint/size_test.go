package lint

import (
	"go/ast"
	"strings"
	"testing"
)

// Limits of DESIGN §6; the habit is half of them.
const (
	maxFileLines     = 500
	maxTestFileLines = 800
	maxFuncLines     = 80
	maxParams        = 5
)

// exceptions name what may be larger, with the reason.
var exceptions = map[string]string{}

func TestSizes(t *testing.T) {
	for _, f := range sources(t) {
		if f.generated() {
			continue
		}
		limit := maxFileLines
		if f.test {
			limit = maxTestFileLines
		}
		if _, ok := exceptions[f.path]; !ok && f.lines > limit {
			t.Errorf("%s has %d lines, want at most %d", f.path, f.lines, limit)
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				checkFunc(t, &f, fn)
			}
		}
	}
}

func checkFunc(t *testing.T, f *file, fn *ast.FuncDecl) {
	t.Helper()
	name := f.path + ":" + fn.Name.Name
	if _, ok := exceptions[name]; ok || f.test {
		return
	}
	if lines := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1; lines > maxFuncLines {
		t.Errorf("%s has %d lines, want at most %d", name, lines, maxFuncLines)
	}
	params := 0
	for _, p := range fn.Type.Params.List {
		params += max(len(p.Names), 1)
	}
	// Kernels and blocks work on many flat slices; their parameters are the
	// operands of a formula.
	numeric := f.pkg == "internal/kernel" || f.pkg == "tensor"
	if params > maxParams && !numeric {
		t.Errorf("%s has %d parameters, want at most %d", name, params, maxParams)
	}
}

// badNames are names that say nothing.
var badNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "manager", "types"}

func TestNames(t *testing.T) {
	for _, f := range sources(t) {
		name := strings.TrimSuffix(strings.TrimSuffix(f.path[strings.LastIndexByte(f.path, '/')+1:], ".go"), "_test")
		for _, bad := range badNames {
			if f.ast.Name.Name == bad || name == bad {
				t.Errorf("%s: a file or package called %q", f.path, bad)
			}
		}
	}
}
