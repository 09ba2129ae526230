package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

func TestCalculate(t *testing.T) {
	for formula, want := range map[string]string{
		"47+38": "85", "48/2": "24", "5/2": "2.5", "2*(3+4)-1": "13", "-3+5": "2", "5*.5": "2.5", "1/3": "0.3333333333", " 1 + 1 ": "2",
		"": "error", "1/0": "error", "1+": "error", "f(2)": "error", "1<<99": "error", "9e99999999": "error", `"a"+"b"`: "error", "0x10": "16", "2%2": "error",
	} {
		assert.Equal(t, want, calculate(formula), formula)
	}
	long := "1"
	for range maxFormula {
		long += "+1"
	}
	assert.Equal(t, "error", calculate(long))
}

// TestCalls has a conversation: a call, a sign in a text, an end.
func TestCalls(t *testing.T) {
	c, err := tiny.Open(auto.Options{})
	require.NoError(t, err)
	e := calculator{c.Tokenizer}
	x := &rollout.Completion{Finish: generate.FinishStop}
	say := func(text string) {
		for _, id := range c.Tokenizer.AppendIDs(nil, text, false) {
			x.Tokens = append(x.Tokens, rollout.Token{ID: id})
		}
	}
	say("so <<47+38=")
	reply, done, err := e.Step(t.Context(), x)
	require.NoError(t, err)
	assert.False(t, done)
	assert.Equal(t, "85>>", c.Tokenizer.Decode(reply, true))
	for _, id := range reply {
		x.Tokens = append(x.Tokens, rollout.Token{ID: id, Role: rollout.Observation})
	}
	say("a =")
	reply, done, err = e.Step(t.Context(), x)
	require.NoError(t, err)
	assert.False(t, done)
	assert.Empty(t, reply, "nobody was asked")
	assert.Equal(t, "a =", e.lastTurn(x))
	assert.Equal(t, 1, calls(x))
	x.Finish = generate.FinishEOS
	_, done, err = e.Step(t.Context(), x)
	require.NoError(t, err)
	assert.True(t, done)
}
