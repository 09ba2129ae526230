package process_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
)

func TestStepsAreMarkedAtTheirSeparators(t *testing.T) {
	rows := data.Slice[process.Row]{{Prompt: "p", Steps: []string{"ab", "c"}, Labels: []float64{1, 0.25}}}
	groups, report, err := process.Prepare(t.Context(), rows, letters{}, process.PrepareOptions{Format: process.Format{Separator: "\n\n", Start: []int32{2}}})
	require.NoError(t, err)
	assert.Equal(t, []int32{2, 'p'}, groups[0].Prompt)
	assert.Equal(t, []int32{'a', 'b', '\n', '\n', 'c', '\n', '\n'}, groups[0].Answers[0].IDs)
	assert.Equal(t, []reward.Mark{{Token: 3, Label: 1}, {Token: 6, Label: 0.25}}, groups[0].Answers[0].Marks)
	assert.Equal(t, process.Report{Rows: 1, Kept: 1, Steps: 2, Good: 1, Tokens: 9}, report)

	groups, _, err = process.Prepare(t.Context(), rows, letters{}, process.PrepareOptions{LastStepOnly: true})
	require.NoError(t, err)
	assert.Equal(t, []reward.Mark{{Token: 4, Label: 0.25}}, groups[0].Answers[0].Marks)
}

func TestBadSolutionsAreCountedAndDropped(t *testing.T) {
	good := process.Row{Prompt: "p", Steps: []string{"ab", "cd"}, Labels: []float64{1, 0}}
	with := func(line int, change func(r *process.Row)) process.Row {
		r := good
		r.At.Line = line
		change(&r)
		return r
	}
	rows := data.Slice[process.Row]{
		with(1, func(*process.Row) {}),
		with(2, func(r *process.Row) { r.Steps, r.Labels = nil, nil }),
		with(3, func(r *process.Row) { r.Labels = []float64{1} }),
		with(4, func(r *process.Row) { r.Labels = []float64{1, math.NaN()} }),
		with(5, func(r *process.Row) { r.Prompt = "much too long" }),
		with(6, func(r *process.Row) { r.Steps = []string{"abcd", "efgh"} }),
		with(7, func(r *process.Row) { r.Labels = []float64{0, 0} }),
		with(8, func(r *process.Row) { r.Steps = []string{"", "x"} }),
	}
	groups, report, err := process.Prepare(t.Context(), rows, letters{}, process.PrepareOptions{MaxLength: 8})
	require.NoError(t, err)
	require.Len(t, groups, 3)
	assert.Equal(t, process.Report{
		Rows: 8, Kept: 3, Cut: 1, Long: 1, Empty: 2, Unsound: 2, Contradicted: 1, Steps: 5, Good: 2, Tokens: 7 + 8 + 7,
		FirstLong: data.Place{Line: 5}, FirstEmpty: data.Place{Line: 2}, FirstUnsound: data.Place{Line: 3},
	}, report)
	assert.Contains(t, report.String(), "2 dropped with labels that cannot be used (first: (memory):3); 1 truncated; 1 contradict another")
	_, _, err = process.Prepare(t.Context(), rows[1:3], letters{}, process.PrepareOptions{})
	require.ErrorIs(t, err, reward.ErrNoGroups)
}

// The check of card R6: on a crafted case each aggregation prefers another
// solution.
func TestAggregationsDiffer(t *testing.T) {
	solutions := map[string][]float64{
		"ends well":      {0.30, 0.60, 0.95},
		"no weak step":   {0.66, 0.66, 0.66},
		"short and fair": {0.65, 0.62},
		"good on a mean": {0.99, 0.99, 0.40},
	}
	for a, want := range map[process.Aggregation]string{process.Last: "ends well", process.Min: "no weak step", process.Product: "short and fair", process.Mean: "good on a mean", "": "ends well"} {
		best, at := math.Inf(-1), ""
		for name, steps := range solutions {
			if v := a.Of(steps); v > best {
				best, at = v, name
			}
		}
		assert.Equal(t, want, at, "%s", a)
		require.NoError(t, a.Validate())
	}
	assert.True(t, math.IsNaN(process.Min.Of(nil)))
	require.ErrorContains(t, process.Aggregation("median").Validate(), `"median"`)
}
