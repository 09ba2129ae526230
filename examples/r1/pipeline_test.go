package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/stages"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
)

func TestReasonedRowsAreAccepted(t *testing.T) {
	right, form := verifiers()
	for _, row := range []data.Row{
		{Prompt: "47+38=", Completion: "85"},
		{Shape: data.ShapeGSM8K, Prompt: "Question: How many?\nAnswer:", Completion: " 48/2 = <<48/2=24>>24\n#### 24"},
	} {
		x := reasoned(row)
		for _, v := range []reward.Verifier{right, form} {
			got, err := v.Verify(t.Context(), reward.Sample{Completion: x.Completion, Reference: row.Completion})
			require.NoError(t, err)
			assert.InDelta(t, 1, got, 0, fmt.Sprint(v.Name(), ": ", x.Completion))
		}
	}
	assert.Equal(t, "<think>7+8=15,4+3+1=8</think>85", reasoned(data.Row{Prompt: "47+38=", Completion: "85"}).Completion)
}

// TestDistillWritesAModel goes through the last stage for two steps.
func TestDistillWritesAModel(t *testing.T) {
	flags.Out, flags.Full, *studentSteps = t.TempDir(), true, 2
	training, held, err := stages.Problems(&flags)
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
	require.NoError(t, p.distill(t.Context(), teacher, set))
	c, err := auto.Open(flags.Out+"/5-distill", auto.Options{})
	require.NoError(t, err)
	defer c.Close()
	assert.Equal(t, 64, c.Model.Config().HiddenSize)
	assert.Len(t, p.run.Results, 2)
}
