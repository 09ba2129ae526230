package rlhf_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
)

// What is planned is what is allocated, with a critic whose program is the larger one
// too.
func TestPlanIsWhatIsAllocated(t *testing.T) {
	plans := map[string]rlhf.Memory{}
	for _, kind := range []string{"none", "shared", "own"} {
		t.Run(kind, func(t *testing.T) {
			p := adapted(t, trial.Model(t, "llama", tensor.Float32), true)
			o := rlhf.Options{}
			if kind != "none" {
				o = ppo(critics[kind](t, p))
			}
			o.Recompute = true // of the policy alone
			o.Rollout, o.Generate = rollout.Options{Prompts: 4, Completions: 2}, generate.Options{MaxTokens: 3}
			prompts, most := somePrompts(6), 0
			for _, x := range prompts {
				most = max(most, len(x.IDs))
			}
			planned, err := rlhf.PlanMemory(p, most, o)
			require.NoError(t, err)
			tr, err := rlhf.New(p, prompts, byLow(), o, trial.Loop(1))
			require.NoError(t, err)
			defer tr.Close()
			for _, err := range tr.Steps(t.Context()) {
				require.NoError(t, err)
			}
			got, err := tr.Memory()
			require.NoError(t, err)
			assert.Equal(t, planned, got)
			gradients := int64(0)
			for _, q := range tr.Parameters() {
				gradients += int64(4 * len(q.Grad()))
			}
			assert.Equal(t, gradients, got.Gradients)
			plans[kind] = got
		})
	}
	assert.Greater(t, plans["own"].Arena, plans["none"].Arena, "all weights of the critic learn")
	assert.Equal(t, plans["own"].Gradients-plans["none"].Gradients, plans["own"].Weights-plans["none"].Weights)
}
