package feedback_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf/feedback"
)

// polite writes rude drafts, finds rude words and replaces them.
type polite struct{ seeds map[uint64]int }

func (p polite) Write(_ context.Context, prompts []string, seed uint64) ([]string, error) {
	if p.seeds != nil {
		p.seeds[seed]++
	}
	out := make([]string, len(prompts))
	for i, s := range prompts {
		_, answer, _ := strings.Cut(s, "Answer: ")
		answer, _, _ = strings.Cut(answer, "\n")
		switch {
		case strings.HasSuffix(s, "Critique:"):
			out[i] = " It says fool. "
		case strings.HasSuffix(s, "Revision:"):
			out[i] = strings.Replace(answer, "fool", "friend", 1)
		default:
			out[i] = "You fool, " + s + ", fool!"
		}
	}
	return out, nil
}

var rude = []feedback.Principle{{Name: "kind", Critique: "What is rude?", Revision: "Be kind."}}

func TestReviseCriticisesAndRevises(t *testing.T) {
	list, err := feedback.Revise(t.Context(), polite{}, []feedback.Question{{Prompt: "why"}, {Prompt: "how", Draft: "Fine."}}, feedback.ReviseOptions{Principles: rude, Rounds: 2})
	require.NoError(t, err)
	assert.Equal(t, "You fool, why, fool!", list[0].Draft)
	assert.Equal(t, []feedback.Step{
		{Principle: "kind", Critique: "It says fool.", Revision: "You friend, why, fool!"},
		{Principle: "kind", Critique: "It says fool.", Revision: "You friend, why, friend!"}}, list[0].Steps)
	row := list[0].Row()
	assert.Equal(t, "why", row.Prompt)
	assert.Equal(t, "You friend, why, friend!", row.Completion)
	pair, ok := list[0].Pair()
	assert.True(t, ok)
	assert.Equal(t, "You fool, why, fool!", pair.Rejected)
	_, ok = list[1].Pair()
	assert.False(t, ok, "nothing was revised")
}

func TestReviseDirectly(t *testing.T) {
	seeds := map[uint64]int{}
	list, err := feedback.Revise(t.Context(), polite{seeds}, []feedback.Question{{Prompt: "why"}}, feedback.ReviseOptions{Principles: rude, Direct: true})
	require.NoError(t, err)
	assert.Empty(t, list[0].Steps[0].Critique)
	assert.Equal(t, "You friend, why, fool!", list[0].Final())
	assert.Len(t, seeds, 2, "draft and revision have seeds of their own")
}

// silent writes nothing but drafts.
type silent struct{}

func (silent) Write(_ context.Context, prompts []string, _ uint64) ([]string, error) {
	return make([]string, len(prompts)), nil
}

func TestSilentRevisersChangeNothing(t *testing.T) {
	list, err := feedback.Revise(t.Context(), polite{}, []feedback.Question{{Prompt: "why"}}, feedback.ReviseOptions{Principles: rude, Reviser: silent{}})
	require.NoError(t, err)
	assert.Equal(t, list[0].Draft, list[0].Final())
}

type mute struct{ err error }

func (m mute) Write(context.Context, []string, uint64) ([]string, error) { return nil, m.err }

func TestReviseRefuses(t *testing.T) {
	ask := []feedback.Question{{Prompt: "why"}}
	_, err := feedback.Revise(t.Context(), polite{}, ask, feedback.ReviseOptions{Rounds: -1})
	require.ErrorContains(t, err, "Principles")
	require.ErrorContains(t, err, "Rounds")
	_, err = feedback.Revise(t.Context(), polite{}, ask, feedback.ReviseOptions{Principles: []feedback.Principle{{Name: "empty"}}})
	require.ErrorContains(t, err, "Principles[0]")
	_, err = feedback.Revise(t.Context(), nil, ask, feedback.ReviseOptions{Principles: rude})
	require.Error(t, err)
	_, err = feedback.Revise(t.Context(), mute{}, ask, feedback.ReviseOptions{Principles: rude})
	require.ErrorContains(t, err, "got 0 texts")
	broken := errors.New("broken")
	_, err = feedback.Revise(t.Context(), polite{}, ask, feedback.ReviseOptions{Principles: rude, Critic: mute{broken}})
	require.ErrorIs(t, err, broken)
	_, err = feedback.NewWriter(nil, nil, generate.Options{}, false)
	require.Error(t, err)
}
