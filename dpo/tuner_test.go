package dpo_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/soft"
	"github.com/posttrain/posttrain/tensor"
)

// TestVirtualTokensAreRefusedByName wants a sentence that says who trains them, where
// a caller names virtual tokens as an adapter.
func TestVirtualTokensAreRefusedByName(t *testing.T) {
	m := trial.Model(t, "llama", tensor.Float32)
	_, err := soft.Attach(m, "prompt", soft.Config{Tokens: 2})
	require.NoError(t, err)
	const want = `got "prompt", which puts virtual tokens before texts (package soft), want an adapter of weights: only package sft trains virtual tokens`

	err = dpo.Options{Reference: dpo.Reference{Model: m, Adapter: "prompt"}}.Validate()
	require.ErrorIs(t, err, dpo.ErrOptions)
	require.ErrorContains(t, err, want)

	_, err = dpo.NewScorer(m, "prompt", dpo.ScoreOptions{})
	require.ErrorIs(t, err, dpo.ErrOptions)
	require.ErrorContains(t, err, want)
}
