package reward_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/reward"
)

func pairRows(rows ...data.PairRow) data.Source[reward.Row] {
	for i := range rows {
		rows[i].At.Line = i + 1
	}
	return reward.Pairs(data.Slice[data.PairRow](rows))
}

func TestPairsShareTheirPrompt(t *testing.T) {
	groups, report, err := reward.Prepare(t.Context(), pairRows(data.PairRow{Prompt: "ab", Chosen: "c", Rejected: "de", Margin: 0.5}), letters{}, reward.PrepareOptions{EOS: "."})
	require.NoError(t, err)
	assert.Equal(t, []reward.Group{{
		Prompt: []int32{'a', 'b'}, Margin: 0.5, At: data.Place{Line: 1},
		Answers: []reward.Candidate{{IDs: []int32{'c', '.'}}, {IDs: []int32{'d', 'e', '.'}}},
	}}, groups)
	assert.Equal(t, "1 of 1 rows kept, 9 tokens", report.String())
}

func TestBadRowsAreCountedAndDropped(t *testing.T) {
	rows := pairRows(
		data.PairRow{Prompt: "p", Chosen: "good", Rejected: "bad"},
		data.PairRow{Prompt: "p", Chosen: "same", Rejected: "same"},
		data.PairRow{Prompt: "p", Chosen: "", Rejected: "r"},
		data.PairRow{Prompt: "p", Chosen: "muchtoolong", Rejected: "r"},
		data.PairRow{Prompt: "p", Chosen: "bad", Rejected: "good"},
		data.PairRow{Prompt: "p", Chosen: "c", Rejected: "r", Margin: math.NaN()},
	)
	groups, report, err := reward.Prepare(t.Context(), rows, letters{}, reward.PrepareOptions{MaxLength: 8})
	require.NoError(t, err)
	require.Len(t, groups, 2)
	assert.Equal(t, reward.Report{
		Rows: 6, Kept: 2, Long: 1, Empty: 1, Equal: 1, Unsound: 1, Contradicted: 1, Tokens: 18,
		FirstLong: data.Place{Line: 4}, FirstEmpty: data.Place{Line: 3}, FirstEqual: data.Place{Line: 2}, FirstUnsound: data.Place{Line: 6},
	}, report)
	assert.Contains(t, report.String(), "1 dropped with equal answers (first: (memory):2)")
	assert.Contains(t, report.String(), "1 contradict another")
	_, _, err = reward.Prepare(t.Context(), pairRows(data.PairRow{Prompt: "p", Chosen: "c", Rejected: "c"}), letters{}, reward.PrepareOptions{})
	require.ErrorIs(t, err, reward.ErrNoGroups)
}

// Labels put answers in order; equal ones are not compared.
func TestLabelledAnswersAreRanked(t *testing.T) {
	row := reward.Row{Labels: []float64{1, 3, 1}}
	for _, text := range []string{"one", "two", "one"} {
		row.Answers = append(row.Answers, data.Row{Shape: data.ShapePromptCompletion, Prompt: "p", Completion: text})
	}
	groups, report, err := reward.Prepare(t.Context(), data.Slice[reward.Row]{row, {Answers: row.Answers, Labels: []float64{1}}}, letters{}, reward.PrepareOptions{})
	require.NoError(t, err)
	assert.Equal(t, 1, report.Unsound, "not one label an answer")
	require.Len(t, groups, 1)
	g := groups[0]
	assert.Equal(t, []float64{3, 1, 1}, []float64{g.Answers[0].Label, g.Answers[1].Label, g.Answers[2].Label})
	var b reward.Batch
	b.Reset()
	b.AddShared(g, reward.LastToken, 0)
	assert.Equal(t, []int32{0, 0}, b.Better)
	assert.Equal(t, []int32{1, 2}, b.Worse)

	judged := data.Slice[data.LabelledRow]{{Prompt: "p", Completion: "yes", Label: true}, {Prompt: "p", Completion: "no"}}
	groups, _, err = reward.Prepare(t.Context(), reward.Judged(judged), letters{}, reward.PrepareOptions{})
	require.NoError(t, err)
	assert.Equal(t, []float64{1, 0}, []float64{groups[0].Answers[0].Label, groups[1].Answers[0].Label})

	graded := data.Slice[data.GradedRow]{{Prompt: "p", Completions: []string{"so", "best"}, Scores: []float64{0.5, 2}}, {Prompt: "p", Completions: []string{"best", "so", "bad"}}}
	groups, _, err = reward.Prepare(t.Context(), reward.Graded(graded), letters{}, reward.PrepareOptions{})
	require.NoError(t, err)
	assert.Equal(t, []int32{'b', 'e', 's', 't'}, groups[0].Answers[0].IDs)
	assert.Equal(t, 2.0, groups[0].Answers[0].Label)
	assert.False(t, groups[1].Labelled)
	assert.Len(t, groups[1].Answers, 3)
}
