package unpaired_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

func prepare(rows []data.LabelledRow, o unpaired.PrepareOptions) ([]unpaired.Row, unpaired.Report, error) {
	for i := range rows {
		rows[i].At.Line = i + 1
	}
	return unpaired.Prepare(context.Background(), data.Slice[data.LabelledRow](rows), letters{}, o)
}

func TestBadRowsAreCountedAndDropped(t *testing.T) {
	rows := []data.LabelledRow{
		{Prompt: "p", Completion: "good", Label: true},
		{Prompt: "p", Completion: "bad"},
		{Prompt: "p", Completion: ""},
		{Prompt: "", Completion: "c", Label: true},
		{Prompt: "pppppppp", Completion: "c"},
		{Prompt: "p", Completion: "good"},
		{Prompt: "pppp", Completion: "longlong", Label: true},
	}
	got, report, err := prepare(rows, unpaired.PrepareOptions{MaxLength: 8, EOS: "."})
	require.NoError(t, err)
	require.Len(t, got, 4)
	assert.Equal(t, unpaired.Report{
		Rows: 7, Kept: 4, Desirable: 2, Undesirable: 2, Cut: 1, Long: 1, Empty: 2, Contradicted: 1, Tokens: 6 + 5 + 6 + 8,
		FirstLong: data.Place{Line: 5}, FirstEmpty: data.Place{Line: 3},
	}, report)
	assert.Contains(t, report.String(), "2 dropped without a prompt or a completion (first: (memory):3)")
	assert.Equal(t, []int32{'g', 'o', 'o', 'd', '.'}, got[0].Completion)
	assert.True(t, got[0].Desirable)
	assert.Len(t, got[3].Completion, 4)
	_, _, err = prepare(rows[2:4], unpaired.PrepareOptions{})
	require.ErrorIs(t, err, unpaired.ErrNoRows)
}

func TestBatcherRefusesRows(t *testing.T) {
	rows := someRows(4)
	for text, bad := range map[string][]unpaired.Row{
		"got no rows":            nil,
		"without a prompt":       append(someRows(4), unpaired.Row{Completion: []int32{1}}),
		"an empty completion":    append(someRows(4), unpaired.Row{Prompt: []int32{1}}),
		"Likeness NaN":           append(someRows(4), unpaired.Row{Prompt: []int32{1}, Completion: []int32{1}, Likeness: math.NaN()}),
		"0 undesirable, want bo": rows[:1],
		"1 desirable and 0 unde": rows[:1],
	} {
		_, err := unpaired.NewBatcher(bad, unpaired.BatchOptions{})
		require.ErrorContains(t, err, text)
	}
	_, err := unpaired.NewBatcher(rows[:1], unpaired.BatchOptions{})
	require.ErrorIs(t, err, unpaired.ErrOneClass)
	batcher(t, rows[:1], unpaired.BatchOptions{OneClass: true})
	_, err = unpaired.NewBatcher(rows, unpaired.BatchOptions{TokensPerMicro: 3})
	require.ErrorContains(t, err, "want at most 3 (BatchOptions.TokensPerMicro)")
	_, err = unpaired.NewBatcher(rows, unpaired.BatchOptions{RowsPerStep: -1, TokensPerStep: 3})
	require.ErrorContains(t, err, "RowsPerStep: got -1")
}

func TestBatcherWalksOverAllRows(t *testing.T) {
	for name, o := range map[string]unpaired.BatchOptions{
		"rows":       {RowsPerStep: 4, Epochs: 2, TokensPerMicro: 20},
		"tokens":     {TokensPerStep: 40, Epochs: 2, TokensPerMicro: 20, Seed: 3},
		"sequential": {RowsPerStep: 4, Epochs: 2, TokensPerMicro: 20, Sequential: true},
	} {
		t.Run(name, func(t *testing.T) {
			rows := someRows(10)
			b := batcher(t, rows, o)
			seen := make([]int, len(rows))
			var step unpaired.Step
			steps, want := 0, b.Steps(5)
			for b.Next(&step) == nil {
				steps++
				for i := range step.Micro {
					m := &step.Micro[i]
					require.LessOrEqual(t, len(m.Tokens), 20)
					require.LessOrEqual(t, len(m.Mismatched.Tokens), 20)
					require.LessOrEqual(t, len(m.Desirable), b.MaxRows())
					require.Len(t, m.MismatchedEnds, len(m.Ends))
					for k, at := range m.Examples {
						seen[at]++
						require.Equal(t, rows[at].Desirable, m.Desirable[k])
					}
				}
			}
			assert.Equal(t, want, steps)
			assert.Equal(t, 2.0, step.Epoch)
			for i, n := range seen {
				assert.Equal(t, 2, n, "row %d", i)
			}
		})
	}
}

func TestOptionsReportAllFaults(t *testing.T) {
	err := unpaired.Options{
		Beta: -1, MicroTokens: 1, MaxRows: -1, Reference: dpo.Reference{Cached: true},
		Loss: unpaired.KTO{DesirableWeight: -1, UndesirableWeight: math.Inf(1)},
	}.Validate()
	require.ErrorIs(t, err, unpaired.ErrOptions)
	for _, fault := range []string{"Beta: got -1", "MicroTokens: got 1", "MaxRows: got -1", "Cached", "KTO.DesirableWeight: got -1", "KTO.UndesirableWeight: got +Inf"} {
		assert.ErrorContains(t, err, fault)
	}
	require.ErrorContains(t, unpaired.Options{Loss: unpaired.BCO{Density: &unpaired.DensityRatio{Min: 3, Max: 2}}}.Validate(), "bounds 3 and 2")
	require.NoError(t, unpaired.Options{}.Validate())
}

func TestNewRefuses(t *testing.T) {
	src := batcher(t, someRows(6), unpaired.BatchOptions{})
	plainRows := someRows(6)
	for i := range plainRows {
		plainRows[i].Likeness = 0
	}
	p := adapted(t, tensor.Float32, true)
	for text, c := range map[string]struct {
		p   dpo.Policy
		src unpaired.StepSource
		o   unpaired.Options
	}{
		"Policy.Model":                  {src: src},
		"no source":                     {p: p},
		"a second instance":             {p: dpo.Policy{Model: p.Model}, src: src},
		"source that is trained on":     {p: p, src: src, o: unpaired.Options{EvalData: src}},
		"never ends":                    {p: p, src: src, o: unpaired.Options{EvalData: batcher(t, someRows(3), unpaired.BatchOptions{})}},
		"rows without Likeness":         {p: p, src: batcher(t, plainRows, unpaired.BatchOptions{}), o: unpaired.Options{Loss: unpaired.BCO{Density: &unpaired.DensityRatio{}}}},
		"training does not fit in memo": {p: p, src: src, o: unpaired.Options{MemoryLimit: 1000}},
	} {
		_, err := unpaired.New(c.p, c.src, c.o, train.Options{MaxSteps: 1})
		require.ErrorContains(t, err, text)
	}
}

// Logistic regression puts prompts where their labels say, finds nothing where
// there is nothing, and weighs both classes alike.
func TestLikeness(t *testing.T) {
	var x [][]float64
	var y []bool
	for i := range 40 {
		good := i%4 == 0 // one in four
		v := []float64{math.Sin(float64(i)), 0}
		if good {
			v[0] += 1.5
		}
		x, y = append(x, v), append(y, good)
	}
	p, err := unpaired.Likeness(x, y)
	require.NoError(t, err)
	var good, bad float64
	for i, v := range p {
		require.True(t, v > 0 && v < 1)
		if y[i] {
			good += v / 10
		} else {
			bad += v / 30
		}
	}
	assert.Greater(t, good, 0.7)
	assert.Less(t, bad, 0.35)
	for i := range x {
		x[i] = []float64{1, 2}
	}
	p, err = unpaired.Likeness(x, y)
	require.NoError(t, err)
	assert.InDelta(t, 0.5, p[0], 1e-6, "balanced, not one in four")
	_, err = unpaired.Likeness(x, make([]bool, 40))
	require.ErrorIs(t, err, unpaired.ErrOneClass)
	_, err = unpaired.Likeness(x, y[1:])
	require.ErrorContains(t, err, "40 embeddings and 39 labels")
}
