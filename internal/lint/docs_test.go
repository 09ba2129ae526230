package lint

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

func TestEveryPackageHasADocFile(t *testing.T) {
	has, doc := map[string]bool{}, map[string]string{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		has[f.pkg] = true
		if strings.HasSuffix(f.path, "/doc.go") || f.path == "doc.go" || f.ast.Name.Name == "main" {
			if f.ast.Doc != nil {
				doc[f.pkg] = f.ast.Doc.Text()
			}
		}
	}
	for pkg := range has {
		if doc[pkg] == "" && pkg != "internal/oracle" {
			t.Errorf("package %s has no doc.go with a package comment", pkg)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || f.ast.Name.Name == "main" {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if exportedFunc(d) && !startsWith(d.Doc, d.Name.Name) {
					t.Errorf("%s: %s has no comment that starts with its name", f.path, d.Name.Name)
				}
			case *ast.GenDecl:
				checkGen(t, &f, d)
			}
		}
	}
}

func exportedFunc(d *ast.FuncDecl) bool {
	if !d.Name.IsExported() {
		return false
	}
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	if ix, ok := typ.(*ast.IndexExpr); ok {
		typ = ix.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// checkGen wants a comment on every exported type, and on every group or line of
// exported constants and variables.
func checkGen(t *testing.T, f *file, d *ast.GenDecl) {
	t.Helper()
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if doc == nil {
				doc = d.Doc
			}
			if s.Name.IsExported() && !startsWith(doc, s.Name.Name) {
				t.Errorf("%s: type %s has no comment that starts with its name", f.path, s.Name.Name)
			}
		case *ast.ValueSpec:
			for _, n := range s.Names {
				if n.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
					t.Errorf("%s: %s has no comment", f.path, n.Name)
				}
			}
		}
	}
}

func startsWith(doc *ast.CommentGroup, name string) bool {
	if doc == nil {
		return false
	}
	text := doc.Text()
	for _, article := range []string{"", "A ", "An ", "The "} {
		if strings.HasPrefix(text, article+name) {
			return true
		}
	}
	return false
}

var leftover = regexp.MustCompile(`(?i)\b(todo|fixme|xxx|hack)\b`)

func TestNoLeftovers(t *testing.T) {
	for _, f := range sources(t) {
		if f.pkg == "internal/lint" {
			continue
		}
		for _, g := range f.ast.Comments {
			if leftover.MatchString(g.Text()) {
				t.Errorf("%s: comment with a left-over mark: %.60q", f.path, g.Text())
			}
		}
	}
}

func TestForbiddenCalls(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || f.ast.Name.Name == "main" || strings.HasPrefix(f.pkg, "examples") || f.pkg == "internal/oracle" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := c.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			call := x.Name + "." + sel.Sel.Name
			switch {
			case call == "os.Exit", call == "fmt.Print", call == "fmt.Println", call == "fmt.Printf",
				call == "time.Now" && f.pkg != "train" && f.pkg != "tensor" && f.pkg != "internal/kernel":
				t.Errorf("%s calls %s", f.path, call)
			}
			return true
		})
	}
}
