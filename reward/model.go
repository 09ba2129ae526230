package reward

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
)

// Model scores texts with a trained Net. It is a Verifier, and safe for
// concurrent use; calls take turns.
type Model struct {
	opts ModelOptions
	mu   sync.Mutex
	prog *program
	step Batch
	room Capacity
	rows []float64
}

// ModelOptions say how texts are scored. The zero value scores ids.
type ModelOptions struct {
	// Name is what metrics call the model; "" means "reward".
	Name string
	// Encoder tokenises samples, prompt and completion as one text; nil allows ids
	// only.
	Encoder data.Encoder
	// EOS is the text of the end-of-sequence token, appended to completions that do
	// not end with it, as it was in training.
	EOS string
	// Tokens is the largest number of tokens scored at once, which bounds the length
	// of a text; 0 means 2,048.
	Tokens int
	// Rows is the largest number of tokens of them that are scored; 0 means
	// Tokens/4.
	Rows int
	// Device computes; nil means tensor.DefaultDevice.
	Device *tensor.Device
}

// Text is a prompt with a completion to score; together at least one token.
type Text struct{ Prompt, Completion []int32 }

// NewModel prepares scoring with n as it is: while n is trained, scores follow.
// No graph of n's model may be built at the same time.
func NewModel(n Net, o ModelOptions) (*Model, error) {
	if err := n.usable(); err != nil {
		return nil, err
	}
	if o.Tokens < 0 || o.Rows < 0 {
		return nil, fmt.Errorf("reward: ModelOptions: got %d Tokens and %d Rows, want positive numbers, or 0 for the defaults", o.Tokens, o.Rows)
	}
	if o.Name == "" {
		o.Name = "reward"
	}
	if o.Tokens == 0 {
		o.Tokens = 2048
	}
	if o.Rows == 0 {
		o.Rows = max(1, o.Tokens/4)
	}
	m := &Model{opts: o, room: Capacity{Tokens: o.Tokens, Rows: o.Rows, Segments: 2 * o.Rows}}
	var err error
	m.prog, err = assemble(n, Options{Capacity: m.room, Device: o.Device}, nil, nil)
	return m, err
}

// Name is the name that metrics carry.
func (m *Model) Name() string { return m.opts.Name }

// Score returns the score of each text, at its last token. Neighbours with equal
// prompts share them. A score has no unit: only differences between answers to
// one prompt, and those that the training gave a meaning, can be compared.
func (m *Model) Score(ctx context.Context, texts []Text) ([]float64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	scores := make([]float64, 0, len(texts))
	err := m.walk(ctx, texts, nil, func(rows []float64, last []int32) {
		for _, r := range last {
			scores = append(scores, rows[r])
		}
	})
	return scores, err
}

// ScoreAt returns the scores of some tokens of each text: marks[i] lists places in
// texts[i].Completion, rising, at least one.
func (m *Model) ScoreAt(ctx context.Context, texts []Text, marks [][]int) ([][]float64, error) {
	if len(marks) != len(texts) {
		return nil, fmt.Errorf("reward: ScoreAt: got marks of %d texts, want those of %d", len(marks), len(texts))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	scores := make([][]float64, 0, len(texts))
	err := m.walk(ctx, texts, marks, func(rows []float64, last []int32) {
		first := int32(0)
		for _, r := range last {
			scores = append(scores, slices.Clone(rows[first:r+1]))
			first = r + 1
		}
	})
	return scores, err
}

// walk scores micro-batches of texts; got is called with the scores of each and
// the last one of every text.
func (m *Model) walk(ctx context.Context, texts []Text, marks [][]int, got func(rows []float64, last []int32)) error {
	at := LastToken
	if marks != nil {
		at = MarkedTokens
	}
	m.step.Reset()
	for i := 0; i < len(texts); {
		g, err := m.group(texts, marks, i, m.step)
		if err != nil {
			return err
		}
		if len(g.Answers) == 0 { // full
			if err := m.flush(ctx, got); err != nil {
				return err
			}
			continue
		}
		m.step.AddShared(g, at, int32(i))
		i += len(g.Answers)
	}
	return m.flush(ctx, got)
}

// flush computes the micro-batch and empties it.
func (m *Model) flush(ctx context.Context, got func(rows []float64, last []int32)) error {
	if len(m.step.Last) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reward: %s: %w", m.opts.Name, err)
	}
	if _, err := m.prog.compute(&m.step, 0); err != nil {
		return fmt.Errorf("reward: %s: %w", m.opts.Name, err)
	}
	var err error
	if m.rows, err = policy.AppendValues(m.rows[:0], m.prog.run, m.prog.rows); err != nil {
		return err
	}
	got(m.rows, m.step.Last)
	m.step.Reset()
	return nil
}

// group takes texts from number i on that have the same prompt and fit beside what
// the micro-batch holds: none when it is full.
func (m *Model) group(texts []Text, marks [][]int, i int, b Batch) (Group, error) {
	g := Group{Prompt: texts[i].Prompt}
	tokens, rows, segments := m.room.Tokens-len(b.Tokens)-len(g.Prompt), m.room.Rows-len(b.Rows), m.room.Segments-len(b.Ends)-1
	for k := i; k < len(texts) && (k == i || slices.Equal(texts[k].Prompt, g.Prompt)); k++ {
		c, whole := Candidate{IDs: texts[k].Completion}, len(texts[k].Completion) == 0
		if marks != nil {
			for _, token := range marks[k] {
				c.Marks = append(c.Marks, Mark{Token: token})
			}
		}
		if whole { // scored at the last token of the prompt
			c.IDs = g.Prompt
		}
		need := max(1, len(c.Marks))
		tokens, rows, segments = tokens-len(c.IDs), rows-need, segments-1
		if tokens < 0 || rows < 0 || segments < 0 {
			if len(b.Tokens) == 0 && k == i {
				return g, fmt.Errorf("reward: %s: text %d has %d tokens of which %d are scored, want at most %d and %d (ModelOptions.Tokens, Rows)", m.opts.Name, k, len(g.Prompt)+len(texts[k].Completion), need, m.room.Tokens, m.room.Rows)
			}
			break
		}
		if whole && k > i {
			break
		}
		g.Answers = append(g.Answers, c)
		if whole {
			g.Prompt = nil
			break
		}
	}
	if len(g.Answers) == 0 {
		return g, nil
	}
	at := LastToken
	if marks != nil {
		at = MarkedTokens
	}
	if err := g.check(at); err != nil {
		return g, fmt.Errorf("text %d: %w", i, err)
	}
	return g, nil
}

// ScoreSamples returns the scores of samples as text.
func (m *Model) ScoreSamples(ctx context.Context, samples []Sample) ([]float64, error) {
	texts, err := m.tokenise(samples)
	if err != nil {
		return nil, err
	}
	return m.Score(ctx, texts)
}

// tokenise makes texts of samples; neighbours share their prompt.
func (m *Model) tokenise(samples []Sample) ([]Text, error) {
	if m.opts.Encoder == nil {
		return nil, fmt.Errorf("reward: %s: got samples and no ModelOptions.Encoder to tokenise them: %w", m.opts.Name, ErrOptions)
	}
	texts := make([]Text, len(samples))
	for i, s := range samples {
		texts[i].Completion = m.opts.Encoder.AppendIDs(nil, m.text(s), true)
		if len(texts[i].Completion) == 0 {
			return nil, fmt.Errorf("reward: %s: sample %d is empty, want a text", m.opts.Name, i)
		}
	}
	for i := 0; i < len(samples); {
		n := 1
		for i+n < len(samples) && samples[i+n].Prompt == samples[i].Prompt {
			n++
		}
		divide(texts[i : i+n])
		i += n
	}
	return texts, nil
}

// text is a sample as it was in training.
func (m *Model) text(s Sample) string {
	if s.Prompt == "" && s.Completion == "" || strings.HasSuffix(s.Completion, m.opts.EOS) {
		return s.Prompt + s.Completion
	}
	return s.Prompt + s.Completion + m.opts.EOS
}

// divide makes what several texts begin with their prompt; each keeps a token.
func divide(texts []Text) {
	if len(texts) < 2 {
		return
	}
	shared := texts[0].Completion
	for _, t := range texts {
		n := 0
		for n < min(len(shared), len(t.Completion)-1) && shared[n] == t.Completion[n] {
			n++
		}
		shared = shared[:n:n]
	}
	for i := range texts {
		texts[i].Prompt, texts[i].Completion = shared, texts[i].Completion[len(shared):]
	}
}

// Verify implements Verifier.
func (m *Model) Verify(ctx context.Context, s Sample) (float64, error) {
	scores, err := m.ScoreSamples(ctx, []Sample{s})
	if err != nil {
		return 0, err
	}
	return scores[0], ended(ctx)
}

var _ Verifier = (*Model)(nil)
