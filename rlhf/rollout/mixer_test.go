package rollout_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// lastAndNine answers each prompt with its last token and a 9.
type lastAndNine struct{ asked [][]int32 }

// Sample implements rollout.Sampler.
func (e *lastAndNine) Sample(_ context.Context, r rollout.Request) (list []*rollout.Completion, err error) {
	for _, p := range r.Prompts {
		e.asked = append(e.asked, p.IDs)
		for range r.Completions {
			list = append(list, &rollout.Completion{Tokens: []rollout.Token{{ID: p.IDs[len(p.IDs)-1]}, {ID: 9}}})
		}
	}
	return list, nil
}

func TestMixerGivesTheFirstTokens(t *testing.T) {
	rest := &lastAndNine{}
	answers := map[int32][]int32{1: {5, 6, 7}, 2: {8}}
	m := rollout.Mixer{
		Rest: rest, Answer: func(p *rollout.Prompt) []int32 { return answers[p.IDs[0]] },
		Give: func(version int64) int { return 3 - int(version) },
	}
	prompts := []*rollout.Prompt{{IDs: []int32{1}}, {IDs: []int32{2}}}
	for version, want := range [][][]int32{{{5, 6, 7}, {8}}, {{5, 6, 6, 9}, {8}}, {{5, 5, 9}, {8}}, {{1, 9}, {2, 9}}} {
		list, err := m.Sample(t.Context(), rollout.Request{Prompts: prompts, Completions: 2, Version: int64(version)})
		require.NoError(t, err)
		require.Len(t, list, 4)
		for i, c := range list {
			assert.Equal(t, want[i/2], c.IDs(), version)
			for k, tok := range c.Tokens {
				given := k < min(3-version, len(answers[prompts[i/2].IDs[0]]))
				assert.Equal(t, given, tok.Role == rollout.Given)
			}
		}
	}
	assert.Equal(t, [][]int32{{1, 5, 6}, {1, 5}, {1}, {2}}, rest.asked, "answers that are given whole are not asked for, and prompts stay as they are")
	assert.Equal(t, []int32{1}, prompts[0].IDs)
}
