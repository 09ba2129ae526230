package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/problems"
	"github.com/posttrain/posttrain/examples/internal/stages"
	"github.com/posttrain/posttrain/reward"
)

// Written ways are accepted in both notations.
func TestReasonedRowsAreAccepted(t *testing.T) {
	defer func() { flags.Model = "" }()
	rows := []data.Row{
		{Prompt: "47+38=", Completion: "85"},
		{Shape: data.ShapeGSM8K, Prompt: "Question: How many?\nAnswer:", Completion: " 48/2 = <<48/2=24>>24\n#### 24"},
	}
	for model, want := range map[string]string{"": "70+15=85", "some": "<think>70+15</think>85"} {
		flags.Model = model
		assert.Equal(t, want, reasoned(rows[0]).Completion)
		right, form := verifiers()
		for _, row := range rows {
			if model == "" && row.Shape == data.ShapeGSM8K {
				continue // its solutions have signs of equality, which is what tags are for
			}
			x := reasoned(row)
			for _, v := range []reward.Verifier{right, form} {
				got, err := v.Verify(t.Context(), reward.Sample{Completion: x.Completion, Reference: row.Completion})
				require.NoError(t, err)
				assert.InDelta(t, 1, got, 0, fmt.Sprint(v.Name(), ": ", x.Completion))
			}
		}
	}
}

// A form without reasoning, without an answer or with two answers is refused.
func TestFormIsRefused(t *testing.T) {
	_, form := verifiers()
	for _, text := range []string{"", "85", "=85", "70+15=", "70+15=85=85"} {
		got, err := form.Verify(t.Context(), reward.Sample{Completion: text})
		require.NoError(t, err)
		assert.Zero(t, got, text)
	}
}

// TestDistillWritesAnAdapter goes through the last stage for two steps.
func TestDistillWritesAnAdapter(t *testing.T) {
	flags.Out, *studentSteps = t.TempDir(), 2
	training, held, err := problems.Rows(&flags)
	require.NoError(t, err)
	p := &pipeline{run: &stages.Run{Flags: &flags, Out: cli.NewProgress(true)}, training: training, held: held[:4]}
	defer func() {
		for _, f := range p.closers {
			assert.NoError(t, f())
		}
	}()
	teacher, err := p.base(t.Context())
	require.NoError(t, err)
	var rows []data.Row
	for _, r := range training[:20] {
		rows = append(rows, reasoned(r))
	}
	set, _, err := data.Prepare(t.Context(), data.Slice[data.Row](rows), teacher.from.Tokenizer, data.PrepareOptions{MaxLength: flags.MaxLength})
	require.NoError(t, err)
	require.NoError(t, p.distill(t.Context(), set))
	assert.FileExists(t, flags.Out+"/5-distill/adapter_model.safetensors")
	assert.Len(t, p.run.Results, 2)
}
