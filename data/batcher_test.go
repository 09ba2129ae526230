package data_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posttrain/posttrain/data"
)

var _ data.StepSource = (*data.Batcher)(nil)

// made returns a dataset of examples of the given lengths; the ids of example i
// are 1000·i + place, and a third of them is prompt.
func made(t require.TestingT, lengths ...int) *data.Dataset {
	set := &data.Dataset{}
	for i, n := range lengths {
		e := data.Example{At: data.Place{File: "f", Line: i + 1}, Prompt: n / 3}
		for j := range n {
			e.IDs = append(e.IDs, int32(1000*i+j))
			e.Roles = append(e.Roles, data.RoleAnswer)
			e.Mask = append(e.Mask, j >= n/3)
		}
		require.NoError(t, set.Append(e))
	}
	return set
}

// drawn makes a dataset and options at random.
func drawn(t *rapid.T) (*data.Dataset, data.BatchOptions) {
	lengths := rapid.SliceOfN(rapid.IntRange(2, 40), 1, 50).Draw(t, "lengths")
	o := data.BatchOptions{
		TokensPerMicro: rapid.IntRange(slices.Max(lengths), 100).Draw(t, "micro"),
		MaxSegments:    rapid.IntRange(0, 5).Draw(t, "segments"),
		Seed:           rapid.Uint64().Draw(t, "seed"),
		Epochs:         rapid.IntRange(1, 3).Draw(t, "epochs"),
		Sequential:     rapid.Bool().Draw(t, "sequential"),
	}
	if rapid.Bool().Draw(t, "rows") {
		o.ExamplesPerStep = rapid.IntRange(1, 12).Draw(t, "examples")
	} else {
		o.TokensPerStep = rapid.IntRange(1, 200).Draw(t, "tokens")
	}
	return made(t, lengths...), o
}

// walk draws all steps of a batcher.
func walk(t require.TestingT, b *data.Batcher, visit func(*data.Step)) {
	var step data.Step
	for {
		err := b.Next(&step)
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		visit(&step)
	}
}

// examples lists the examples of a step in ascending order.
func examples(s *data.Step) []int32 {
	var out []int32
	for _, m := range s.Micro {
		out = append(out, m.Examples...)
	}
	slices.Sort(out)
	return out
}

func TestBatcherInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, o := drawn(t)
		b, err := data.NewBatcher(set, o)
		require.NoError(t, err)
		o = b.Options()
		seen := make([]int, set.Len())
		steps, last := 0, 0.0
		walk(t, b, func(s *data.Step) {
			steps++
			checkStep(t, set, o, s)
			for _, i := range examples(s) {
				seen[i]++
			}
			require.Greater(t, s.Epoch, last)
			require.LessOrEqual(t, s.Epoch, float64(int(last)+1), "no step spans two epochs")
			if int(s.Epoch) > int(last) {
				for i, n := range seen {
					require.Equal(t, int(s.Epoch), n, "example %d, once an epoch", i)
				}
			}
			last = s.Epoch
		})
		require.Equal(t, float64(o.Epochs), last)
		require.Equal(t, steps, b.Steps(o.Epochs))
		require.Equal(t, data.Cursor{Epoch: o.Epochs}, b.Cursor())
		require.ErrorIs(t, b.Next(&data.Step{}), io.EOF, "the end stays the end")
	})
}

// checkStep holds one step against its budgets and its examples.
func checkStep(t require.TestingT, set *data.Dataset, o data.BatchOptions, s *data.Step) {
	tokens, count, weight := 0, 0, 0.0
	for _, m := range s.Micro {
		require.NotEmpty(t, m.Examples)
		require.LessOrEqual(t, len(m.Tokens), o.TokensPerMicro)
		require.LessOrEqual(t, len(m.Ends), o.MaxSegments)
		var want data.Packed
		start := int32(0)
		for k, i := range m.Examples {
			e := set.Example(int(i))
			want.Tokens = append(want.Tokens, e.IDs...)
			for j := range e.IDs {
				want.Positions = append(want.Positions, int32(j))
				if j > 0 && e.Mask[j] {
					want.Rows = append(want.Rows, start+int32(j)-1)
					want.Targets = append(want.Targets, e.IDs[j])
					want.Weights = append(want.Weights, 1)
				}
			}
			start += int32(len(e.IDs))
			want.Ends, want.Prefix, want.Examples = append(want.Ends, start), append(want.Prefix, -1), append(want.Examples, m.Examples[k])
		}
		require.Equal(t, want, m)
		tokens += len(m.Tokens)
		count += len(m.Examples)
		weight += float64(len(m.Targets))
	}
	require.Equal(t, tokens, s.Tokens)
	require.Equal(t, weight, s.Targets)
	require.True(t, count == 1 || o.ExamplesPerStep > 0 || tokens <= o.TokensPerStep, "%d tokens of %d examples", tokens, count)
	require.True(t, o.ExamplesPerStep == 0 || count <= o.ExamplesPerStep)
}

// Which examples a step holds does not depend on how it is cut up.
func TestBatcherStepsDoNotDependOnMicroBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, o := drawn(t)
		a, err := data.NewBatcher(set, o)
		require.NoError(t, err)
		o.TokensPerMicro, o.MaxSegments = 1000, 50
		b, err := data.NewBatcher(set, o)
		require.NoError(t, err)
		var one, other [][]int32
		walk(t, a, func(s *data.Step) { one = append(one, examples(s)) })
		walk(t, b, func(s *data.Step) {
			require.True(t, len(s.Micro) == 1 || s.Tokens > 1000)
			other = append(other, examples(s))
		})
		require.Equal(t, one, other)
	})
}

// A batcher set to a cursor goes on as the one that gave it would have.
func TestBatcherCursorIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, o := drawn(t)
		o.DropShort = rapid.Bool().Draw(t, "drop") && set.Tokens() >= o.TokensPerStep && set.Len() >= o.ExamplesPerStep
		b, err := data.NewBatcher(set, o)
		require.NoError(t, err)
		cursors, steps := []data.Cursor{b.Cursor()}, []string{}
		walk(t, b, func(s *data.Step) {
			cursors, steps = append(cursors, b.Cursor()), append(steps, fmt.Sprintf("%+v", *s))
		})
		at := rapid.IntRange(0, len(cursors)-1).Draw(t, "cut")
		raw, err := json.Marshal(cursors[at])
		require.NoError(t, err)
		var c data.Cursor
		require.NoError(t, json.Unmarshal(raw, &c))
		resumed, err := data.NewBatcher(set, o)
		require.NoError(t, err)
		for _, again := range []*data.Batcher{resumed, b} { // a fresh one and one that is at its end
			require.NoError(t, again.Seek(c))
			require.Equal(t, c, again.Cursor())
			rest := []string{}
			walk(t, again, func(s *data.Step) { rest = append(rest, fmt.Sprintf("%+v", *s)) })
			require.Equal(t, steps[at:], rest)
		}
	})
}

func TestBatcherShufflesEveryEpochAnew(t *testing.T) {
	set := made(t, slices.Repeat([]int{4}, 30)...)
	orders := map[string]bool{}
	for _, seed := range []uint64{1, 2} {
		b, err := data.NewBatcher(set, data.BatchOptions{ExamplesPerStep: 1, Epochs: 2, Seed: seed})
		require.NoError(t, err)
		var order []int32
		walk(t, b, func(s *data.Step) {
			order = append(order, s.Micro[0].Examples[0])
			if len(order) == 30 {
				require.NotContains(t, orders, fmt.Sprint(order))
				orders[fmt.Sprint(order)], order = true, nil
			}
		})
	}
	require.Len(t, orders, 4)
	b, err := data.NewBatcher(set, data.BatchOptions{Sequential: true, Epochs: 1, TokensPerStep: 40, MaxSegments: 30})
	require.NoError(t, err)
	at := int32(0)
	walk(t, b, func(s *data.Step) {
		for _, i := range s.Micro[0].Examples {
			require.Equal(t, at, i)
			at++
		}
	})
	require.Equal(t, int32(30), at)
}

func TestBatcherEndOfAnEpoch(t *testing.T) {
	set := made(t, 10, 10, 10, 10, 10)
	count := func(o data.BatchOptions) (sizes []int) {
		o.Epochs = 2
		b, err := data.NewBatcher(set, o)
		require.NoError(t, err)
		walk(t, b, func(s *data.Step) { sizes = append(sizes, len(examples(s))) })
		require.Equal(t, len(sizes), b.Steps(2))
		return sizes
	}
	assert.Equal(t, []int{2, 2, 1, 2, 2, 1}, count(data.BatchOptions{TokensPerStep: 20}))
	assert.Equal(t, []int{2, 2, 2, 2}, count(data.BatchOptions{TokensPerStep: 20, DropShort: true}))
	assert.Equal(t, []int{2, 2, 1, 2, 2, 1}, count(data.BatchOptions{ExamplesPerStep: 2}))
	assert.Equal(t, []int{2, 2, 2, 2}, count(data.BatchOptions{ExamplesPerStep: 2, DropShort: true}))
	assert.Equal(t, []int{5, 5}, count(data.BatchOptions{ExamplesPerStep: 5, DropShort: true}), "exactly full")
	assert.Equal(t, []int{5, 5}, count(data.BatchOptions{DropShort: true, TokensPerStep: 50}))
	assert.Equal(t, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, count(data.BatchOptions{DropShort: true, TokensPerStep: 3}), "longer than the budget: a step each")
}

func TestBatcherIsEndless(t *testing.T) {
	b, err := data.NewBatcher(made(t, 5, 6, 7), data.BatchOptions{})
	require.NoError(t, err)
	require.Equal(t, data.BatchOptions{TokensPerStep: 8192, TokensPerMicro: 2048, MaxSegments: 256}, b.Options())
	var step data.Step
	for epoch := range 100 {
		require.NoError(t, b.Next(&step))
		require.Equal(t, float64(epoch+1), step.Epoch)
	}
}

func TestBatcherRefuses(t *testing.T) {
	set := made(t, 10, 20)
	bare := made(t, 3)
	require.NoError(t, bare.Append(data.Example{At: data.Place{File: "f", Line: 9}, IDs: []int32{1}, Roles: []data.Role{0}, Mask: []bool{true}}))
	cases := map[string]struct {
		set  *data.Dataset
		opts data.BatchOptions
		want string
	}{
		"no set":     {nil, data.BatchOptions{}, "data: NewBatcher: got an empty dataset, want at least one example"},
		"empty set":  {&data.Dataset{}, data.BatchOptions{}, "got an empty dataset"},
		"negative":   {set, data.BatchOptions{TokensPerMicro: -1, Epochs: -3}, "data: BatchOptions.TokensPerMicro: got -1, want 0 (default) or more\ndata: BatchOptions.Epochs: got -3, want 0 (default) or more"},
		"both":       {set, data.BatchOptions{TokensPerStep: 1, ExamplesPerStep: 2}, "data: BatchOptions: got TokensPerStep 1 and ExamplesPerStep 2, want one of them"},
		"too long":   {set, data.BatchOptions{TokensPerMicro: 19}, "data: f:2: got an example of 20 tokens, want at most 19 (BatchOptions.TokensPerMicro)"},
		"no target":  {bare, data.BatchOptions{}, "data: f:9: got an example of 1 tokens and no target, want at least one"},
		"drops all":  {set, data.BatchOptions{DropShort: true}, "data: BatchOptions.DropShort: got 2 examples of 30 tokens in all, want enough for one step of 8192"},
		"drops rows": {set, data.BatchOptions{DropShort: true, ExamplesPerStep: 3}, "want enough for one step of 3"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := data.NewBatcher(c.set, c.opts)
			require.ErrorContains(t, err, c.want)
		})
	}
	b, err := data.NewBatcher(set, data.BatchOptions{Epochs: 2})
	require.NoError(t, err)
	for _, c := range []data.Cursor{{Epoch: -1}, {Position: -1}, {Position: 2}, {Epoch: 3}, {Epoch: 2, Position: 1}} {
		require.ErrorContains(t, b.Seek(c), "data: Seek: got")
	}
	require.NoError(t, b.Seek(data.Cursor{Epoch: 2}))
	require.ErrorContains(t, made(t, 3).Append(data.Example{IDs: []int32{1}}), "got 1 ids, 0 roles and 0 mask entries, want slices of equal length")
}

func TestBatcherDoesNotAllocate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	lengths := make([]int, 3000)
	for i := range lengths {
		lengths[i] = 5 + rng.IntN(200)
	}
	b, err := data.NewBatcher(made(t, lengths...), data.BatchOptions{TokensPerMicro: 1024})
	require.NoError(t, err)
	var step data.Step
	for range b.Steps(3) {
		require.NoError(t, b.Next(&step))
	}
	require.Zero(t, testing.AllocsPerRun(500, func() {
		if b.Next(&step) != nil {
			t.Fail()
		}
	}), "several epochs of steps")
}

// T39, T40: on lengths as skewed as real ones, packing step by step costs little
// against packing the whole dataset at once.
func TestBatcherPacksTightly(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	lengths := make([]int, 4000)
	for i := range lengths {
		lengths[i] = min(10+int(rng.ExpFloat64()*180), 1000)
	}
	set := made(t, lengths...)
	b, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: 16384, TokensPerMicro: 2048, Epochs: 1})
	require.NoError(t, err)
	micro := 0
	walk(t, b, func(s *data.Step) { micro += len(s.Micro) })
	var p data.Packer
	_, best := p.Pack(lengths, 2048, 0)
	t.Logf("%d micro-batches, %d if packed all at once, %.1f of full ones", micro, best, float64(set.Tokens())/2048)
	require.Less(t, float64(micro), 1.1*float64(best))
}

func TestFingerprintTellsDatasetsApart(t *testing.T) {
	prints := map[string]bool{}
	for _, lengths := range [][]int{{3, 4}, {4, 3}, {7}, {3, 4, 3}} {
		prints[made(t, lengths...).Fingerprint()] = true
	}
	require.Len(t, prints, 4)
	require.Equal(t, made(t, 3, 4).Fingerprint(), made(t, 3, 4).Fingerprint())
	masked := made(t, 3)
	masked.Example(0).Mask[1] = false
	require.NotEqual(t, made(t, 3).Fingerprint(), masked.Fingerprint())
}
