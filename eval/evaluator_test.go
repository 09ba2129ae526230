package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/answer"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	_ train.Evaluator = (*Perplexity)(nil)
	_ train.Evaluator = (*ExactMatch)(nil)
	_ train.Sampler   = (*ExactMatch)(nil)
)

// tiny makes a small random model that knows digits: see digits.
func tiny(t testing.TB, weights tensor.Dtype) model.Model {
	t.Helper()
	c, fam, err := auto.ParseConfig([]byte(`{"model_type": "qwen3", "vocab_size": 120, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 128, "eos_token_id": 2}`))
	require.NoError(t, err)
	m, err := fam.New(c, model.NewLoader(c, model.Random{Seed: 3, Std: 0.2, Jitter: 0.1}, model.LoadOptions{Weights: weights}))
	require.NoError(t, err)
	return m
}

// dataset draws n examples: a prompt, a completion, and the end token.
func dataset(t testing.TB, n int) *data.Dataset {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	set := &data.Dataset{}
	for i := range n {
		e := data.Example{Prompt: 1 + r.IntN(6), At: data.Place{File: "rows", Line: i + 1}}
		for k := range e.Prompt + 1 + r.IntN(20) {
			e.IDs = append(e.IDs, 3+r.Int32N(117))
			e.Mask, e.Roles = append(e.Mask, k >= e.Prompt), append(e.Roles, data.RoleAnswer)
		}
		e.IDs, e.Mask, e.Roles = append(e.IDs, 2), append(e.Mask, true), append(e.Roles, data.RoleAnswer)
		require.NoError(t, set.Append(e))
	}
	return set
}

// want computes the negative log-likelihood of each example in one pass of its
// own, without our Scorer.
func want(t *testing.T, m model.Model, adapter string, set *data.Dataset) (num, den []float64) {
	for i := range set.Len() {
		e := set.Example(i)
		pass, err := modeltest.Compute(m, [][]int32{e.IDs}, modeltest.PassOptions{Adapter: adapter})
		require.NoError(t, err)
		nll, n := 0.0, 0.0
		for k := 1; k < len(e.IDs); k++ {
			if e.Mask[k] {
				nll -= pass.LogProb[k-1]
				n++
			}
		}
		num, den = append(num, nll), append(den, n)
	}
	return num, den
}

// Deviations of a sum of some 20 log-probabilities.
const (
	float32Tolerance = 1e-4
	float64Tolerance = 1e-10
)

func TestPerplexityScoresEveryExample(t *testing.T) {
	set := dataset(t, 60)
	for _, weights := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, o := range []ScoreOptions{{}, {Tokens: 40}, {Tokens: 64, Segments: 2}} {
			t.Run(fmt.Sprintf("%v/%+v", weights, o), func(t *testing.T) {
				m := tiny(t, weights)
				src, err := Examples(set, o)
				require.NoError(t, err)
				p, err := NewPerplexity(m, src, o, Bootstrap{})
				require.NoError(t, err)
				defer p.Close()
				got, err := p.Measure(context.Background())
				require.NoError(t, err)
				num, den := want(t, m, "", set)
				assert.Equal(t, den, got.Den, "target tokens, the end token among them")
				tolerance := float64Tolerance
				if weights == tensor.Float32 {
					tolerance = float32Tolerance
				}
				assert.InDeltaSlice(t, num, got.Num, tolerance)
				assert.InEpsilon(t, math.Exp(sum(num)/sum(den)), got.Value(), tolerance)
				again, err := p.Measure(context.Background())
				require.NoError(t, err)
				assert.Equal(t, got, again)
			})
		}
	}
}

func TestPerplexityFollowsTheWeights(t *testing.T) {
	set, m := dataset(t, 20), tiny(t, tensor.Float32)
	src, err := Examples(set, ScoreOptions{})
	require.NoError(t, err)
	a, err := lora.Attach(m, "mine", lora.Config{Rank: 2, Seed: 1})
	require.NoError(t, err)
	p, err := NewPerplexity(m, src, ScoreOptions{Adapter: "mine"}, Bootstrap{Seed: 1})
	require.NoError(t, err)
	defer p.Close()

	var metrics train.Metrics
	require.NoError(t, p.Evaluate(context.Background(), &metrics))
	_, _, ok := p.FirstAndLast()
	assert.False(t, ok)
	for _, q := range a.Params() {
		for i := range q.Data() {
			q.Data()[i] += 0.3 * float32(math.Sin(float64(i)))
		}
		q.Changed()
	}
	require.NoError(t, p.Evaluate(context.Background(), &metrics))
	require.NoError(t, p.Evaluate(context.Background(), &metrics))
	first, last, ok := p.FirstAndLast()
	require.True(t, ok)
	num, den := want(t, m, "mine", set)
	assert.InDeltaSlice(t, num, last.Num, float32Tolerance)
	base, _ := want(t, m, "", set)
	assert.InDeltaSlice(t, base, first.Num, float32Tolerance)

	value := func(name string) float64 {
		v, ok := metrics.Value(name)
		require.True(t, ok, name)
		return v
	}
	assert.InEpsilon(t, math.Exp(sum(num)/sum(den)), value("perplexity"), float32Tolerance)
	assert.InEpsilon(t, sum(num)/sum(den), value("nll"), float32Tolerance)
	assert.Less(t, value("perplexity_low"), value("perplexity"))
	assert.Greater(t, value("perplexity_high"), value("perplexity"))
	c, err := Compare(&first, &last, Bootstrap{})
	require.NoError(t, err)
	assert.InDelta(t, last.Value()-first.Value(), c.Difference.Value, 1e-12)
}

func TestScorerAllocatesNothing(t *testing.T) {
	set := dataset(t, 30)
	s, err := NewScorer(tiny(t, tensor.Float32), ScoreOptions{Tokens: 256})
	require.NoError(t, err)
	defer s.Close()
	var batches [2]data.Packed
	for i := range 8 {
		batches[i%2].Add(set.Example(i), int32(i))
	}
	batches[0].Add(set.Example(9), 9)
	k := 0
	score := func() {
		_, err := s.LogProbs(&batches[k%2])
		require.NoError(t, err)
		k++
	}
	for range 4 {
		score()
	}
	assert.Zero(t, testing.AllocsPerRun(20, score))
	assert.Positive(t, s.Bytes())
	got, err := s.LogProbs(&data.Packed{})
	require.NoError(t, err)
	assert.Empty(t, got)
}

func TestScorerReportsFaults(t *testing.T) {
	m, set := tiny(t, tensor.Float32), dataset(t, 5)
	_, err := NewScorer(m, ScoreOptions{Tokens: -1, Segments: -1})
	require.ErrorContains(t, err, "Tokens: got -1")
	require.ErrorContains(t, err, "Segments: got -1")
	_, err = NewScorer(m, ScoreOptions{Adapter: "none"})
	require.ErrorIs(t, err, ErrNoAdapter)
	_, err = Examples(set, ScoreOptions{Tokens: 4})
	require.ErrorContains(t, err, "rows:1: got an example of")
	_, err = NewPerplexity(m, nil, ScoreOptions{}, Bootstrap{})
	require.ErrorContains(t, err, "got no source")

	s, err := NewScorer(m, ScoreOptions{Tokens: 8})
	require.NoError(t, err)
	var b data.Packed
	b.Add(set.Example(0), 0)
	b.Add(set.Example(1), 1)
	_, err = s.LogProbs(&b)
	require.ErrorContains(t, err, fmt.Sprintf("micro-batch has %d tokens, want at most 8", len(b.Tokens)))
	b.Reset()
	b.Add(data.Example{IDs: []int32{1, 500}, Mask: []bool{false, true}}, 0)
	_, err = s.LogProbs(&b)
	require.ErrorContains(t, err, "eval: tensor: instruction")
}

// source fails at a certain step.
type source struct {
	Source
	left int
	err  error
}

func (s *source) Next(step *data.Step) error {
	if s.left--; s.left < 0 {
		return s.err
	}
	return s.Source.Next(step)
}

func TestPerplexityReportsFaults(t *testing.T) {
	src, err := Examples(dataset(t, 40), ScoreOptions{Tokens: 64})
	require.NoError(t, err)
	broken := &source{src, 1, errors.New("disk")}
	p, err := NewPerplexity(tiny(t, tensor.Float32), broken, ScoreOptions{Tokens: 64}, Bootstrap{})
	require.NoError(t, err)
	_, err = p.Measure(context.Background())
	require.EqualError(t, err, "eval: perplexity: disk")
	*broken = source{src, 0, io.EOF}
	_, err = p.Measure(context.Background())
	require.ErrorIs(t, err, data.ErrNoTargets)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	broken.left = 10
	_, err = p.Measure(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, All(p).Evaluate(ctx, &train.Metrics{}), context.Canceled)
}

// digits is a tokenizer whose id i is the number i, then a space.
type digits struct{}

func newDigits() *digits            { return &digits{} }
func (*digits) Add(id int32) string { return fmt.Sprint(id, " ") }
func (*digits) Flush() string       { return "" }

// AppendIDs reads numbers; with addSpecial a 1 stands before them.
func (*digits) AppendIDs(dst []int32, text string, addSpecial bool) []int32 {
	if addSpecial {
		dst = append(dst, 1)
	}
	for _, f := range strings.Fields(text) {
		var id int32
		if _, err := fmt.Sscan(f, &id); err == nil {
			dst = append(dst, id)
		}
	}
	return dst
}

// rowsOf is a source of rows.
func rowsOf(rows ...data.Row) data.Source[data.Row] {
	return data.SourceFunc[data.Row](func() iter.Seq2[data.Row, error] {
		return func(yield func(data.Row, error) bool) {
			for i, r := range rows {
				r.At = data.Place{File: "rows", Line: i + 1}
				if !yield(r, nil) {
					return
				}
			}
		}
	})
}

func TestExactMatchCountsRightAnswers(t *testing.T) {
	m := tiny(t, tensor.Float32)
	g, err := generate.New(m, generate.Config{Decode: generate.Text(newDigits), Sequences: 3})
	require.NoError(t, err)
	defer g.Close()
	o := ExactMatchOptions{Generate: generate.Options{MaxTokens: 6}, Samples: 2}

	var rows []data.Row
	for i := range 10 {
		prompt := fmt.Sprint(5+i, " ", 60+i)
		c, err := g.Generate(context.Background(), [][]int32{new(digits).AppendIDs(nil, prompt, true)}, o.Generate)
		require.NoError(t, err)
		right, ok := answer.LastNumber(c[0].Text)
		require.True(t, ok)
		if i%3 == 0 {
			right = "-1" // never said
		}
		rows = append(rows, data.Row{Prompt: prompt, Completion: "so\n#### " + right})
	}
	questions, err := Questions(context.Background(), rowsOf(rows...), QuestionOptions{Encoder: new(digits)})
	require.NoError(t, err)
	assert.Equal(t, Question{Prompt: []int32{1, 6, 61}, Text: "6 61", Answer: strings.Fields(rows[1].Completion)[2], Reference: rows[1].Completion, At: data.Place{File: "rows", Line: 2}}, questions[1])

	e, err := NewExactMatch(g, questions, o)
	require.NoError(t, err)
	a, err := e.Measure(context.Background())
	require.NoError(t, err)
	assert.InDelta(t, 0.6, a.Value(), 1e-15)
	require.Len(t, a.Records, 10)
	for i, r := range a.Records {
		assert.Equal(t, i%3 != 0, r.Correct, "question %d", i)
		assert.Equal(t, i, r.Question)
		assert.Equal(t, rows[i].Prompt, r.Prompt)
		assert.True(t, r.Answered)
		assert.Equal(t, len(strings.Fields(r.Completion))+int(indicator(r.Finish == generate.FinishEOS)), r.Tokens)
		assert.Less(t, r.LogProb, 0.0)
	}

	var metrics train.Metrics
	require.NoError(t, All(e, e).Evaluate(context.Background(), &metrics))
	for name, want := range map[string]float64{"exact_match": 0.6, "exact_match_low": Wilson(6, 10, 0.95).Low, "exact_match_high": Wilson(6, 10, 0.95).High, "answered": 1} {
		v, ok := metrics.Value(name)
		assert.True(t, ok)
		assert.InDelta(t, want, v, 1e-15, name)
	}
	clipped, _ := metrics.Value("completions/clipped_ratio")
	cut := slices.DeleteFunc(slices.Clone(a.Records), func(r Record) bool { return r.Finish != generate.FinishLength })
	assert.InDelta(t, float64(len(cut))/10, clipped, 1e-15)
	first, last, ok := e.FirstAndLast()
	assert.True(t, ok)
	assert.Equal(t, first, last)

	samples, err := e.Sample(context.Background())
	require.NoError(t, err)
	require.Len(t, samples, 2)
	assert.Equal(t, train.Sample{Prompt: rows[0].Prompt, Completion: a.Records[0].Completion, Reference: rows[0].Completion, Finish: samples[0].Finish, Scores: map[string]float64{"exact_match": 0}}, samples[0])
	assert.Contains(t, []string{"stop", "length"}, samples[1].Finish)
}

func TestExactMatchReportsFaults(t *testing.T) {
	m := tiny(t, tensor.Float32)
	g, err := generate.New(m, generate.Config{})
	require.NoError(t, err)
	defer g.Close()
	_, err = NewExactMatch(g, nil, ExactMatchOptions{})
	require.ErrorContains(t, err, "got no questions")
	_, err = NewExactMatch(g, []Question{{At: data.Place{File: "f", Line: 3}}, {Prompt: make([]int32, 128)}}, ExactMatchOptions{
		Generate: generate.Options{TopP: 7}, Bootstrap: Bootstrap{Confidence: 2}, Samples: -1,
	})
	for _, want := range []string{"TopP is 7", "Confidence: got 2", "no Config.Decode", "Samples: got -1", "f:3: question has 0 tokens, want 1 to 127", "question has 128 tokens"} {
		require.ErrorContains(t, err, want)
	}
}

// template renders a conversation as its contents; "9" opens an answer.
type template struct{ err error }

func (r template) RenderChat(c data.Conversation) (data.Rendered, error) {
	text := ""
	for _, m := range c.Messages {
		text += m.Content + " "
	}
	if c.AddGenerationPrompt {
		text += "9"
	}
	return data.Rendered{Text: text}, r.err
}

func TestQuestionsOfConversations(t *testing.T) {
	row := data.Row{Shape: data.ShapeChatCompletion, PromptMessages: []data.Message{data.NewMessage("user", "4 5")}, CompletionMessages: []data.Message{data.NewMessage("assistant", `\boxed{6}`)}}
	text := data.Row{Prompt: "4", Completion: "7"}
	ctx := context.Background()
	q, err := Questions(ctx, rowsOf(row, text), QuestionOptions{Encoder: new(digits), Renderer: template{}, Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, []Question{{Prompt: []int32{4, 5, 9}, Text: "4 5 9", Answer: "6", Reference: `\boxed{6}`, At: data.Place{File: "rows", Line: 1}}}, q)

	for _, c := range []struct {
		rows data.Source[data.Row]
		o    QuestionOptions
		want string
	}{
		{rowsOf(row), QuestionOptions{Encoder: new(digits)}, "rows:1: "},
		{rowsOf(text, row), QuestionOptions{Encoder: new(digits), Renderer: template{errors.New("syntax")}}, "rows:2: "},
		{rowsOf(data.Row{Text: "4"}), QuestionOptions{Encoder: new(digits)}, "want a prompt and a completion"},
		{rowsOf(data.Row{Prompt: "4", Completion: "none"}), QuestionOptions{Encoder: new(digits)}, "without an answer"},
		{rowsOf(), QuestionOptions{Encoder: new(digits)}, "got no rows"},
		{rowsOf(text), QuestionOptions{Limit: -1}, "Limit -1"},
	} {
		_, err := Questions(ctx, c.rows, c.o)
		require.ErrorContains(t, err, c.want)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err = Questions(done, rowsOf(text), QuestionOptions{Encoder: new(digits)})
	require.ErrorIs(t, err, context.Canceled)
}
