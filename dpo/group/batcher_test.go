package group_test

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/group"
	"github.com/posttrain/posttrain/train"
)

// float32Tol is what differently packed batches may change a loss by in float32,
// relative.
const float32Tol = 1e-5

// Groups of one answer a side are pairs: the same run, bit for bit.
func TestGroupsOfOneArePairs(t *testing.T) {
	list := someGroups(9, 1)
	var pairs []dpo.Pair
	for _, g := range list {
		pairs = append(pairs, dpo.Pair{Prompt: g.Prompt, Chosen: g.Chosen[0], Rejected: g.Rejected[0]})
	}
	src, err := dpo.NewBatcher(pairs, dpo.BatchOptions{PairsPerStep: 4, Seed: 3})
	require.NoError(t, err)
	want := run(t, policy(t), src, dpo.Options{}, plain(5))
	got := run(t, policy(t), batcher(t, list, group.BatchOptions{GroupsPerStep: 4, Seed: 3}), dpo.Options{Loss: group.MDPO{K: 1}}, plain(5))
	assert.Equal(t, want, got)
}

// How a step is cut into micro-batches, and whether the prompt is shared, does not
// matter.
func TestGroupsDoNotDependOnTheLayout(t *testing.T) {
	for _, l := range []dpo.Loss{group.MDPO{K: 3}, group.MIPO{K: 3, Unbiased: true}, dpo.Sum{{Loss: group.MDPO{K: 3}, Weight: 1}, {Loss: dpo.NLL{}, Weight: 0.2}}} {
		o := dpo.Options{Loss: l, Beta: 0.5}
		want := run(t, policy(t), batcher(t, someGroups(8, 3), group.BatchOptions{Sequential: true}), o, plain(4))
		for _, b := range []group.BatchOptions{{TokensPerMicro: 50, Sequential: true}, {Separate: true, Sequential: true}, {Separate: true, TokensPerMicro: 80, Sequential: true}} {
			closeTo(t, want, run(t, policy(t), batcher(t, someGroups(8, 3), b), o, plain(4)), float32Tol)
		}
	}
}

// All weights are trained against log-probabilities computed beforehand, which are
// those of a second model.
func TestGroupsWithACachedReference(t *testing.T) {
	o := dpo.Options{Loss: group.MDPO{K: 2}, Reference: dpo.Reference{Model: tinyModel(t)}}
	want := run(t, dpo.Policy{Model: tinyModel(t)}, batcher(t, someGroups(6, 2), group.BatchOptions{}), o, plain(4))
	o.Reference = dpo.Reference{}
	closeTo(t, want, run(t, dpo.Policy{Model: tinyModel(t)}, batcher(t, someGroups(6, 2), group.BatchOptions{}), o, plain(4)), float32Tol)
}

// Rankings are learnt: in the end each answer is above the next.
func TestRankingsAreLearnt(t *testing.T) {
	src, err := group.NewRankingBatcher(someRankings(4, 4), group.BatchOptions{})
	require.NoError(t, err)
	eval, err := group.NewRankingBatcher(someRankings(4, 4), group.BatchOptions{Epochs: 1})
	require.NoError(t, err)
	tr, err := dpo.New(policy(t), src, dpo.Options{Loss: group.PlackettLuce{N: 4}, Beta: 0.5, EvalData: eval}, plain(60))
	require.NoError(t, err)
	var accuracy []float64
	require.NoError(t, tr.Train(t.Context(), train.Hooks{Event: func(e train.Event) error {
		if e.Kind == train.EventEval {
			v, _ := e.Metrics.Value("eval_rewards/accuracies")
			accuracy = append(accuracy, v)
		}
		return nil
	}}))
	require.Equal(t, []float64{0, 1}, accuracy)
}

// A run is resumed exactly, and not over other groups.
func TestGroupsResumeExactly(t *testing.T) {
	build := func(dir string, resume bool, n int) (*dpo.Trainer, error) {
		loop := plain(7)
		loop.Out, loop.Resume, loop.SaveEvery = dir, resume, 3
		return dpo.New(policy(t), batcher(t, someGroups(n, 2), group.BatchOptions{GroupsPerStep: 3, Seed: 4}), dpo.Options{Loss: group.MDPO{K: 2}}, loop)
	}
	losses := func(tr *dpo.Trainer, stop int) (list []float64) {
		for s, err := range tr.Steps(t.Context()) {
			require.NoError(t, err)
			if list = append(list, s.Loss); s.N == stop {
				break
			}
		}
		return list
	}
	whole, err := build("", false, 8)
	require.NoError(t, err)
	want := losses(whole, 0)
	dir := t.TempDir()
	first, err := build(dir, false, 8)
	require.NoError(t, err)
	losses(first, 5)
	second, err := build(dir, true, 8)
	require.NoError(t, err)
	require.Equal(t, want[second.Step():], losses(second, 0))
	_, err = build(dir, true, 7)
	require.ErrorIs(t, err, dpo.ErrDataChanged)
}

func TestBatchersRefuseWhatIsNoGroup(t *testing.T) {
	odd, uneven, unprompted, empty := someGroups(2, 2), someGroups(2, 2), someGroups(2, 2), someGroups(2, 2)
	odd[1].Chosen = odd[1].Chosen[:1]
	uneven[1].Chosen, uneven[1].Rejected = uneven[1].Chosen[:1], uneven[1].Rejected[:1]
	unprompted[1].Prompt = nil
	empty[1].Chosen, empty[1].Rejected = [][]int32{nil, nil}, [][]int32{nil, nil}
	for says, list := range map[string][]group.Group{"no groups": nil, "1 chosen and 2 rejected": odd, "got 2 answers, want 4": uneven, "no prompt": unprompted, "empty answers only": empty} {
		_, err := group.NewBatcher(list, group.BatchOptions{})
		assert.ErrorContains(t, err, says)
	}
	_, err := group.NewBatcher(someGroups(2, 2), group.BatchOptions{TokensPerMicro: 5})
	assert.ErrorContains(t, err, "TokensPerMicro")
	_, err = group.NewBatcher(someGroups(2, 2), group.BatchOptions{GroupsPerStep: -1, Epochs: -1})
	assert.ErrorContains(t, err, "GroupsPerStep")
	assert.ErrorContains(t, err, "Epochs")
	_, err = group.NewRankingBatcher(someRankings(2, 1), group.BatchOptions{})
	assert.ErrorContains(t, err, "two answers or more")
}

// The losses know which sources they can learn from, inside a sum and in
// evaluations too.
func TestLossesRefuseOtherSources(t *testing.T) {
	pairs, err := dpo.NewBatcher([]dpo.Pair{{Prompt: []int32{1}, Chosen: []int32{2}, Rejected: []int32{3}}}, dpo.BatchOptions{Epochs: 1})
	require.NoError(t, err)
	ranked, err := group.NewRankingBatcher(someRankings(3, 3), group.BatchOptions{Epochs: 1})
	require.NoError(t, err)
	twos := batcher(t, someGroups(3, 2), group.BatchOptions{})
	for says, c := range map[string]struct {
		loss dpo.Loss
		src  dpo.StepSource
		eval dpo.EvalSource
	}{
		"keeps groups whole":     {group.MDPO{K: 1}, pairs, nil},
		"want 3":                 {group.MDPO{K: 3}, twos, nil},
		"batcher of rankings":    {group.MIPO{K: 2}, ranked, nil},
		"want one of rankings":   {group.PlackettLuce{N: 3}, twos, nil},
		"EvalData: group: loss":  {group.MDPO{K: 2}, twos, ranked},
		"want a group.Batcher, ": {dpo.Sum{{Loss: dpo.Sigmoid{}, Weight: 1}, {Loss: group.MDPO{K: 1}, Weight: 1}}, pairs, nil},
	} {
		_, err := dpo.New(policy(t), c.src, dpo.Options{Loss: c.loss, EvalData: c.eval}, plain(1))
		require.ErrorIs(t, err, dpo.ErrOptions)
		require.ErrorContains(t, err, says)
	}
}

// Walks end, and count their steps.
func TestBatcherEndsWithItsEpochs(t *testing.T) {
	b := batcher(t, someGroups(7, 2), group.BatchOptions{GroupsPerStep: 3, Epochs: 2})
	n := 0
	var step dpo.Step
	for ; ; n++ {
		err := b.Next(&step)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	assert.Equal(t, 6, n)
	assert.Equal(t, 6, b.Steps(5))
	assert.InDelta(t, 2, step.Epoch, 1e-12)
}
