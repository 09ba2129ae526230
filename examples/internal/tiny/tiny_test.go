package tiny_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKnowsSomeSums wants a model that has something to learn and something
// learnt: 15 to 25 % of the sums that nobody trained on.
func TestKnowsSomeSums(t *testing.T) {
	c, err := tiny.Open(auto.Options{})
	require.NoError(t, err)
	_, held := tiny.Rows()
	questions, err := eval.Questions(t.Context(), data.Slice[data.Row](held), eval.QuestionOptions{Encoder: c.Tokenizer})
	require.NoError(t, err)
	g, err := generate.New(c.Model, generate.Config{Sequences: 32, Context: 32, Decode: generate.Text(c.Tokenizer.NewStream)})
	require.NoError(t, err)
	defer g.Close()
	exam, err := eval.NewExactMatch(g, questions, eval.ExactMatchOptions{Generate: generate.Options{MaxTokens: 8}})
	require.NoError(t, err)
	answers, err := exam.Measure(context.Background())
	require.NoError(t, err)
	share := answers.Value()
	assert.GreaterOrEqual(t, share, 0.15)
	assert.LessOrEqual(t, share, 0.25)
}

// TestAnyTextCanBeEncoded gives it all bytes.
func TestAnyTextCanBeEncoded(t *testing.T) {
	c, err := tiny.Open(auto.Options{})
	require.NoError(t, err)
	for _, text := range []string{"", "47+38=85", "日本語 🏳️‍🌈 naïve\n\t\x00", strings.Repeat("x", 999)} {
		assert.Equal(t, text, c.Tokenizer.Decode(c.Tokenizer.AppendIDs(nil, text, false), false))
	}
	assert.LessOrEqual(t, c.Tokenizer.Size(), c.Model.Config().VocabSize)
}

func TestExtractWritesAtMostTwoMegabytes(t *testing.T) {
	dir, size := t.TempDir(), int64(0)
	require.NoError(t, tiny.Extract(dir))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		size += info.Size()
	}
	assert.Len(t, files, 5)
	assert.Less(t, size, int64(2_000_000))
	assert.Error(t, tiny.Extract(filepath.Join(dir, "nowhere")))
}

func TestHeldOutSumsAreNotTrainedOn(t *testing.T) {
	training, held := tiny.Rows()
	assert.Len(t, training, tiny.TrainingRows)
	assert.Len(t, held, tiny.EvaluationRows)
	seen := map[string]bool{}
	for _, r := range training {
		seen[r.Prompt] = true
	}
	for _, r := range held {
		assert.NotContains(t, seen, r.Prompt)
	}
	again, _ := tiny.Rows()
	assert.Equal(t, training, again)
}
