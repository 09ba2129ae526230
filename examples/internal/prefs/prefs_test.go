package prefs_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/prefs"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/train"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func Example() {
	c, err := tiny.Open(auto.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	in, err := prefs.OpenPairs(context.Background(), &cli.Flags{Limit: 3, EvalLimit: 2, MaxLength: 64}, c)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := in.Training[0]
	fmt.Println(in.Report)
	fmt.Println(c.Tokenizer.Decode(p.Prompt, true), c.Tokenizer.Decode(p.Chosen, true), c.Tokenizer.Decode(p.Rejected, true))
	// Output:
	// 3 of 3 comparisons kept, 62 tokens
	// 34+36= 70 80
}

// Drift is 0 at the start and what the weights do to answers later.
func TestDriftFollowsThePolicy(t *testing.T) {
	c, err := tiny.Open(auto.Options{})
	require.NoError(t, err)
	f := &cli.Flags{Limit: 8, EvalLimit: 8, MaxLength: 64, Rank: 2}
	in, err := prefs.OpenPairs(t.Context(), f, c)
	require.NoError(t, err)
	labels, err := prefs.OpenLabels(t.Context(), f, c)
	require.NoError(t, err)
	p, err := prefs.Policy(f, c)
	require.NoError(t, err)
	pairs, err := prefs.NewDrift(t.Context(), p, in.Evaluation, nil)
	require.NoError(t, err)
	rows, err := prefs.NewRowDrift(t.Context(), p, labels.Evaluation, nil)
	require.NoError(t, err)
	for _, moved := range []bool{false, true} {
		for _, q := range p.Adapter.Params() {
			v := make([]float64, q.Len())
			for i := range v {
				if moved {
					v[i] = 0.1 * math.Sin(float64(i))
				}
			}
			require.NoError(t, q.Set(v))
		}
		for _, e := range []train.Evaluator{pairs, rows} {
			var m train.Metrics
			require.NoError(t, e.Evaluate(t.Context(), &m))
			for _, name := range []string{"drift/chosen", "drift/rejected"} {
				v, ok := m.Value(name)
				require.True(t, ok, name)
				assert.Equal(t, moved, v != 0, name)
			}
			v, ok := m.Value("length/correlation")
			require.True(t, ok)
			assert.LessOrEqual(t, math.Abs(v), 1.0)
		}
	}
}

func TestRowsAreReadFromFiles(t *testing.T) {
	c, err := tiny.Open(auto.Options{})
	require.NoError(t, err)
	_, err = prefs.OpenPairs(t.Context(), &cli.Flags{Model: "some"}, c)
	assert.ErrorContains(t, err, "-data: got none")
	_, err = prefs.OpenLabels(t.Context(), &cli.Flags{Data: "nowhere.jsonl"}, c)
	assert.ErrorContains(t, err, "nowhere.jsonl")
	assert.Equal(t, 4, prefs.Longest([]dpo.Pair{{Prompt: make([]int32, 2), Chosen: make([]int32, 1), Rejected: make([]int32, 1)}}))
}
