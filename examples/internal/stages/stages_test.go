package stages_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/stages"
	"github.com/posttrain/posttrain/train"
)

func TestTableAndReport(t *testing.T) {
	var before, after train.Metrics
	before.Set("eval_accuracy", 0.2)
	after.Set("eval_accuracy", 0.8)
	after.Set("eval_accuracy_low", 0.7)
	after.Set("eval_accuracy_high", 0.9)
	out := t.TempDir()
	r := stages.Run{Flags: &cli.Flags{Out: out}, Title: "A <run>", Results: []stages.Result{{Metrics: &before}, {Stage: "rl", Metrics: &after}, {Stage: "unknown"}}}
	c := stages.Column{Metric: "accuracy", Title: "right", Percent: true}
	table := r.Table(c)
	assert.Contains(t, table, "before                    20.0 %")
	assert.Contains(t, table, "rl                        80.0 % [70.0, 90.0]")
	require.NoError(t, r.Report([]string{"a & b"}, c))
	raw, err := os.ReadFile(filepath.Join(out, "report.html"))
	require.NoError(t, err)
	assert.Contains(t, string(raw), `<a href="rl/report.html">rl</a></td><td>80.0 % [70.0, 90.0]</td>`)
	assert.Contains(t, string(raw), "<h1>A &lt;run&gt;</h1>")
}
