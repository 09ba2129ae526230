package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const modulePath = "github.com/posttrain/posttrain"

// file is one parsed Go file of the module.
type file struct {
	path    string // slash-separated, from the repository's root
	pkg     string // folder, "" for the root package
	test    bool
	lines   int
	ast     *ast.File
	fset    *token.FileSet
	imports []string
}

// sources parses every Go file of the module, leaving out nested modules.
func sources(t *testing.T) []file {
	t.Helper()
	root := filepath.Join("..", "..")
	var files []file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(path, root), string(filepath.Separator)))
		if d.IsDir() {
			name := d.Name()
			if rel != "" && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "tools" || name == "out") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		files = append(files, parse(t, path, rel))
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func parse(t *testing.T, path, rel string) file {
	t.Helper()
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	require.NoError(t, err)
	pkg := ""
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		pkg = rel[:i]
	}
	f := file{path: rel, pkg: pkg, test: strings.HasSuffix(rel, "_test.go"), ast: parsed, fset: fset, lines: fset.File(parsed.Pos()).LineCount()}
	for _, im := range parsed.Imports {
		p, err := strconv.Unquote(im.Path.Value)
		require.NoError(t, err)
		f.imports = append(f.imports, p)
	}
	return f
}

// generated says whether a file is made by a program.
func (f *file) generated() bool {
	name := f.path[strings.LastIndexByte(f.path, '/')+1:]
	return strings.HasPrefix(name, "z") && strings.Contains(name, "_") || ast.IsGenerated(f.ast)
}
