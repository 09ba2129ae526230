package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	cited  = regexp.MustCompile(`arXiv:(\d{4}\.\d{4,5})`)
	listed = regexp.MustCompile(`(?m)^\| (\d{4}\.\d{4,5}) \|`)
)

func TestEveryPaperHasARow(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "papers.md"))
	require.NoError(t, err)
	rows := map[string]bool{}
	for _, m := range listed.FindAllSubmatch(raw, -1) {
		assert.False(t, rows[string(m[1])], "docs/papers.md: two rows for %s", m[1])
		rows[string(m[1])] = true
	}
	found := map[string]bool{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		for _, g := range f.ast.Comments {
			for _, m := range cited.FindAllStringSubmatch(g.Text(), -1) {
				found[m[1]] = true
				assert.True(t, rows[m[1]], "%s cites arXiv:%s, which has no row in docs/papers.md", f.path, m[1])
			}
		}
	}
	for id := range rows {
		assert.True(t, found[id], "docs/papers.md: no code cites arXiv:%s", id)
	}
}
