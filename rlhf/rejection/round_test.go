package rejection_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/rlhf/rejection"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// TestDatasetKeepsTokens wants the ids that were sampled, and what a tool said to be
// context.
func TestDatasetKeepsTokens(t *testing.T) {
	p := rollout.Prompt{IDs: []int32{1, 2}, Text: "p"}
	e := rejection.Example{Completion: &rollout.Completion{Prompt: &p, Text: "x", Tokens: []rollout.Token{
		{ID: 3}, {ID: 4, Role: rollout.Observation}, {ID: 5}}}}
	r := rejection.Round{Examples: []rejection.Example{e}}
	set, err := r.Dataset()
	require.NoError(t, err)
	require.Equal(t, 1, set.Len())
	x := set.Example(0)
	assert.Equal(t, []int32{1, 2, 3, 4, 5}, x.IDs)
	assert.Equal(t, []bool{false, false, true, false, true}, x.Mask)
	assert.Equal(t, []data.Role{data.RoleContext, data.RoleContext, data.RoleAnswer, data.RoleContext, data.RoleAnswer}, x.Roles)
	assert.Equal(t, 2, x.Prompt)
	assert.Empty(t, r.Rows(), "a text has no place for what a tool said")
}

func TestEquationsAreTheSteps(t *testing.T) {
	key := func(text string) string { return rejection.Equations(&rollout.Completion{Text: text}) }
	assert.Equal(t, "3*4=12\n12+5=17\n", key("She buys 3 * 4 = 12 eggs. Then 12+5=17."))
	assert.Equal(t, key("3*4=12, so 12 + 5 = 17"), key("First 3 * 4 = 12.\nThen 12+5=17!"))
	assert.NotEqual(t, key("3*4=12"), key("4*3=12"))
	assert.Equal(t, "no sums", key(" no sums "))
	assert.Equal(t, "2*(3+4)=14\n", key("<<2*(3+4)=14>>"))
}

func TestMeasureNames(t *testing.T) {
	var m train.Metrics
	rejection.Stats{Prompts: 4, Sampled: 8, Accepted: 2, Kept: 2, Tokens: 6, Unsolved: 3}.Measure(&m)
	for name, want := range map[string]float64{"rejection/accuracy": 0.25, "rejection/kept_share": 0.25, "rejection/unsolved_share": 0.75, "completions/mean_length": 3} {
		got, ok := m.Value(name)
		assert.True(t, ok, name)
		assert.InDelta(t, want, got, 0, name)
	}
	m.Reset()
	rejection.Stats{}.Measure(&m)
	got, _ := m.Value("rejection/kept_share")
	assert.Zero(t, got)
}
