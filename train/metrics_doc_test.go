package train

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	// given matches metrics by literal name: m.Set("loss", …), m.Add("loss", …).
	given = regexp.MustCompile(`\.(?:Set|Add)\("([^"]+)",`)
	// row matches the names in the first cell of a table row.
	row = regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|")
	// quoted matches one name in such a cell.
	quoted = regexp.MustCompile("`([^`]+)`")
)

// TestEveryMetricHasARow looks at what the stages emit, in the sources, and at
// what a run wrote.
func TestEveryMetricHasARow(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	require.NoError(t, err)
	rows := map[string]bool{}
	for _, cell := range row.FindAllStringSubmatch(string(page), -1) {
		for _, name := range quoted.FindAllStringSubmatch(cell[1], -1) {
			rows[name[1]] = true
		}
	}
	require.True(t, rows[lossName])

	for _, stage := range []string{"train", "sft", "dpo", "reward", "rlhf", "eval"} {
		for path, source := range sources(t, filepath.Join("..", stage)) {
			for _, m := range given.FindAllStringSubmatch(source, -1) {
				name := m[1]
				assert.True(t, rows[name] || rows[evalPrefix+name], "%s: metric %s has no row in docs/metrics.md", path, name)
			}
		}
	}

	out := t.TempDir()
	finishRun(t, true, out, nil)
	keys := regexp.MustCompile(`"([a-z_/]+)":[0-9n-]`)
	for _, m := range keys.FindAllStringSubmatch(read(t, out, metricsName), -1) {
		if name := m[1]; name != "step" && name != "toy/weight" {
			assert.True(t, rows[name], "metric %s of a run has no row in docs/metrics.md", name)
		}
	}
	for _, name := range timingNames {
		assert.Regexp(t, "(?m)^\\| `"+name+"` .*\\*timing\\*", string(page))
	}
	assert.Equal(t, len(timingNames), strings.Count(string(page), "| *timing*:"), "what the page calls timing is what IsTiming exempts")
}

// sources reads the Go files of a package, tests apart. Packages that are not
// there yet have none.
func sources(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		all[path] = string(raw)
		return err
	})
	require.NoError(t, err)
	return all
}
