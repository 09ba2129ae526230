package auto

import (
	"fmt"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOraclePadding compares the three ways to run rows of different lengths:
// packed, one by one, and padded as the reference pads them. Padding on the
// right is run as it is: causal attention never looks at it. Padding on the left
// is masked in the reference, so here the tokens behind it are run.
func TestOraclePadding(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, c := range oracleCases(t, tally) {
		t.Run(c.Name, func(t *testing.T) {
			r := readReference(t, c)
			k := openCase(t, c, "config.json", Options{Weights: tensor.Float64})
			j := judge{t: t, name: c.Name, bounds: c.Tolerance, exact: true}
			_, rows := r.rows(t)
			rows = rows[:3]
			packed, err := modeltest.Compute(k.Model, rows, modeltest.PassOptions{Spare: 3})
			require.NoError(t, err)
			for _, side := range []string{"right", "left"} {
				depends := r.floats(t, "padded."+side+".hidden.final") != nil
				if side == "left" && depends {
					tally.Skip(c.Name+"/left", "the reference takes the length of the longest row of the batch")
					continue
				}
				padded, mask := r.padded(t, side)
				p, err := modeltest.Compute(k.Model, padded, modeltest.PassOptions{})
				require.NoError(t, err)
				for i, row := range rows {
					got, want := unmasked(p.Row(p.Hidden, i), mask[i]), packed.Row(packed.Hidden, i)
					if depends {
						width := len(want) / len(row)
						want = r.floats(t, "padded.right.hidden.final")
						want = want[i*len(mask[i])*width:][:len(got)]
					}
					j.close("hidden", fmt.Sprintf("%s row %d", side, i), got, want)
					tally.Compared(1)
				}
			}
			for i, row := range rows {
				alone, err := modeltest.Compute(k.Model, [][]int32{row}, modeltest.PassOptions{})
				require.NoError(t, err)
				j.close("hidden", fmt.Sprintf("row %d alone", i), alone.Hidden, packed.Row(packed.Hidden, i))
			}
		})
	}
}

// padded is a padded batch, and which of its tokens count. Rows padded on the
// left come without their padding, as rows of their own length.
func (r *reference) padded(t *testing.T, side string) (rows [][]int32, mask [][]bool) {
	ids, keep := r.ids(t, "padded."+side+".input_ids"), r.ids(t, "padded."+side+".attention_mask")
	width := len(ids) / 3
	for i := range 3 {
		row, m := ids[i*width:(i+1)*width], make([]bool, width)
		for t := range m {
			m[t] = keep[i*width+t] != 0
		}
		if side == "left" {
			first := slices.Index(m, true)
			row, m = row[first:], m[first:]
		}
		rows, mask = append(rows, row), append(mask, m)
	}
	return rows, mask
}

// unmasked is the part of x, a row of hidden states, that counts.
func unmasked(x []float64, mask []bool) []float64 {
	width := len(x) / len(mask)
	var out []float64
	for t, m := range mask {
		if m {
			out = append(out, x[t*width:(t+1)*width]...)
		}
	}
	return out
}

// TestOracleGreedy compares greedy continuations: cached, all rows in one batch,
// and by computing the whole text again for every token.
func TestOracleGreedy(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, c := range oracleCases(t, tally) {
		t.Run(c.Name, func(t *testing.T) {
			r := readReference(t, c)
			k := openCase(t, c, "config.json", Options{Weights: tensor.Float32})
			_, rows := r.rows(t)
			rows = rows[:3]
			require.Len(t, r.Generation.Greedy, 3)
			g, err := generate.New(k.Model, generate.Config{Sequences: 3})
			require.NoError(t, err)
			defer g.Close()
			o := generate.Options{IgnoreEOS: true, MaxTokens: len(r.Generation.Greedy[0].Tokens)}
			got, err := g.Generate(t.Context(), rows, o)
			require.NoError(t, err)
			for i, want := range r.Generation.Greedy {
				assert.Equal(t, want.Tokens, got[i].IDs(), "row %d", i)
				plain := want.NoCache
				if plain == nil {
					plain = want.Tokens
				}
				assert.Equal(t, plain, greedyWithoutCache(t, k, rows[i], len(plain)), "row %d without cache", i)
				tally.Compared(2)
			}
			if s := r.Generation.Stop; s != nil {
				stopped, err := g.Generate(t.Context(), rows[s.Row:s.Row+1], generate.Options{IgnoreEOS: true, StopIDs: []int32{s.EOS}, MaxTokens: 24})
				require.NoError(t, err)
				assert.Equal(t, r.stopped(), stopped[0].IDs(), "stop")
				tally.Compared(1)
			}
		})
	}
}

// stopped is greedy_stop, a run of transformers' generate. That computes the text
// again where longrope changes its factors; we keep the cache, as the loop that made
// "tokens" does, so that where the two differ its tokens are cut at the end token.
func (r *reference) stopped() []int32 {
	s := r.Generation.Stop
	cached := r.Generation.Greedy[s.Row]
	if cached.NoCache == nil {
		return s.Tokens
	}
	return cached.Tokens[:slices.Index(cached.Tokens, s.EOS)+1]
}

// greedyWithoutCache computes the whole text again for every token.
func greedyWithoutCache(t *testing.T, k *Checkpoint, prompt []int32, n int) []int32 {
	text := slices.Clone(prompt)
	for range n {
		p, err := modeltest.Compute(k.Model, [][]int32{text}, modeltest.PassOptions{Logits: true})
		require.NoError(t, err)
		v := k.Model.Config().VocabSize
		last := p.Logits[len(p.Logits)-v:]
		text = append(text, int32(slices.Index(last, slices.Max(last))))
	}
	return text[len(prompt):]
}
