package problems_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/problems"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/train"
)

func Example() {
	training, held, err := problems.Rows(&cli.Flags{EvalLimit: 50})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(training), len(held), training[0].Prompt, training[0].Completion)
	// Output: 4010 50 10+10= 20
}

// No sum of the exam is trained on, and none has a carry.
func TestSumsAreHeldOut(t *testing.T) {
	training, held, err := problems.Rows(&cli.Flags{})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, r := range training {
		seen[r.Prompt] = true
	}
	for _, r := range append([]data.Row{training[0]}, held...) {
		var a, b int
		_, err := fmt.Sscanf(r.Prompt, "%d+%d=", &a, &b)
		require.NoError(t, err)
		assert.Less(t, a%10+b%10, 10)
		assert.Equal(t, fmt.Sprint(a+b), r.Completion)
	}
	for _, r := range held {
		assert.False(t, seen[r.Prompt], r.Prompt)
	}
}

func TestOpen(t *testing.T) {
	c, err := tiny.Open(auto.Options{})
	require.NoError(t, err)
	f := &cli.Flags{Limit: 20, EvalLimit: 4, MaxLength: 64, Rank: 2}
	a, err := f.Attach(c.Model)
	require.NoError(t, err)
	s, err := problems.Open(t.Context(), f, c, a.Name(), 0)
	require.NoError(t, err)
	defer s.Close()
	assert.Len(t, s.Prompts, 20)
	assert.Equal(t, 4, s.Held)
	assert.Equal(t, 8, s.MaxTokens)
	assert.Same(t, s.Generator(), s.Generator())
	table, err := s.Table()
	require.NoError(t, err)
	assert.Empty(t, table, "before there were two exams")
	var m train.Metrics
	require.NoError(t, s.Exam.Evaluate(t.Context(), &m))
	require.NoError(t, s.Exam.Evaluate(t.Context(), &m))
	table, err = s.Table()
	require.NoError(t, err)
	assert.Contains(t, table, "exact_match")
	m.Set("eval_exact_match", 0.25)
	assert.JSONEq(t, `{"accuracy":0.25}`, string(problems.WithAccuracy(train.Event{Kind: train.EventEval, Metrics: &m}).Fields))
	assert.JSONEq(t, `{"accuracy":0.25,"stopped":"kl"}`, string(problems.WithAccuracy(train.Event{Kind: train.EventResult, Metrics: &m, Fields: []byte(`{"stopped":"kl"}`)}).Fields))
	assert.Empty(t, problems.WithAccuracy(train.Event{Kind: train.EventStep, Metrics: &m}).Fields)
}
