package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
)

// toyRows are the rows of a linear regression without noise: y = x·w* with
// w* = (1, -2, 0.5), and the number of "tokens" by which a row is weighted.
// Its least loss is 0, at w*.
var (
	toyMinimum = []float64{1, -2, 0.5}
	toyWeights = []float64{1, 4, 2, 7, 3, 1, 5, 2, 6, 3, 1, 2}
)

func toyRow(i int) (x []float64, y float64) {
	x = []float64{1, float64(i%5) - 2, float64(i*i%7)/3 - 1}
	for k, w := range toyMinimum {
		y += w * x[k]
	}
	return x, y
}

// toy is a stage that fits a line: loss of a row is (x·w - y)²/2.
type toy struct {
	params []Parameter
	micro  [][]int // rows of each micro-batch of a step, before the cursor is added
	steps  int     // 0: endless
	cursor int

	loss float64 // of the step in progress
	seen float64

	// Faults.
	nanLossAt, nanGradAt, failBackwardAt int
	next, evaluating                     func()
	saveErr                              error
}

// toyParam stores values as float32 or float64.
type toyParam struct {
	name         string
	data, grad   []float32
	data64, gr64 []float64
	changes      int
	shape        []int // nil: a vector
}

func (p *toyParam) Name() string      { return p.name }
func (p *toyParam) Data() []float32   { return p.data }
func (p *toyParam) Grad() []float32   { return p.grad }
func (p *toyParam) Data64() []float64 { return p.data64 }
func (p *toyParam) Grad64() []float64 { return p.gr64 }
func (p *toyParam) Changed()          { p.changes++ }

func (p *toyParam) Shape() []int {
	if p.shape != nil {
		return p.shape
	}
	return []int{max(len(p.data), len(p.data64))}
}

func (p *toyParam) at(i int) float64 {
	if p.data64 != nil {
		return p.data64[i]
	}
	return float64(p.data[i])
}

func (p *toyParam) addGrad(i int, g float64) {
	if p.data64 != nil {
		p.gr64[i] += g
	} else {
		p.grad[i] += float32(g)
	}
}

// newToy is a toy with a weight (2) and a bias (1), cut into micro-batches.
func newToy(wide bool, micro ...[]int) *toy {
	s := &toy{micro: micro}
	for name, n := range map[string]int{"line.bias": 1, "line.weight": 2} {
		p := &toyParam{name: name}
		if wide {
			p.data64, p.gr64 = make([]float64, n), make([]float64, n)
		} else {
			p.data, p.grad = make([]float32, n), make([]float32, n)
		}
		s.params = append(s.params, p)
	}
	if s.params[0].Name() != "line.bias" {
		s.params[0], s.params[1] = s.params[1], s.params[0]
	}
	return s
}

func (s *toy) Name() string            { return "toy" }
func (s *toy) Parameters() []Parameter { return s.params }
func (s *toy) bias() *toyParam         { return s.params[0].(*toyParam) }
func (s *toy) weight() *toyParam       { return s.params[1].(*toyParam) }
func (s *toy) w() []float64 {
	return []float64{s.bias().at(0), s.weight().at(0), s.weight().at(1)}
}

func (s *toy) Next(ctx context.Context, b *Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.steps > 0 && s.cursor >= s.steps {
		return io.EOF
	}
	if s.next != nil {
		s.next()
	}
	b.Tokens = 0
	for _, rows := range s.micro {
		var sum float64
		for _, i := range rows {
			sum += toyWeights[(i+s.cursor)%len(toyWeights)]
		}
		b.Weights = append(b.Weights, sum)
		b.Tokens += int(sum)
	}
	s.cursor++
	b.Epoch = float64(s.cursor) / 8
	s.loss, s.seen = 0, 0
	return nil
}

func (s *toy) Backward(micro int, seed float64) error {
	if s.cursor == s.failBackwardAt {
		return errors.New("toy backward failed")
	}
	for _, i := range s.micro[micro] {
		i = (i + s.cursor - 1) % len(toyWeights)
		weight := toyWeights[i]
		x := [3]float64{1, float64(i%5) - 2, float64(i*i%7)/3 - 1}
		gap := 0.0
		for k, w := range [3]float64{s.bias().at(0), s.weight().at(0), s.weight().at(1)} {
			gap += (w - toyMinimum[k]) * x[k]
		}
		s.loss += seed * weight * gap * gap / 2
		s.seen += weight
		s.bias().addGrad(0, seed*weight*gap*x[0])
		s.weight().addGrad(0, seed*weight*gap*x[1])
		s.weight().addGrad(1, seed*weight*gap*x[2])
	}
	if s.cursor == s.nanGradAt {
		s.weight().addGrad(1, nan)
	}
	return nil
}

func (s *toy) Collect(m *Metrics) error {
	if s.cursor == s.nanLossAt {
		s.loss = nan
	}
	m.Set("loss", s.loss)
	m.Add("toy/weight", s.seen, 1)
	return nil
}

func (s *toy) State() (json.RawMessage, error) {
	return json.RawMessage(strconv.Itoa(s.cursor)), nil
}

func (s *toy) Restore(state json.RawMessage) error { return json.Unmarshal(state, &s.cursor) }

func (s *toy) SaveWeights(dir string) error {
	if s.saveErr != nil {
		return s.saveErr
	}
	raw, err := json.Marshal(s.w())
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "weights.json"), raw, 0o666)
}

func (s *toy) LoadWeights(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "weights.json"))
	if err != nil {
		return err
	}
	var w []float64
	if err := json.Unmarshal(raw, &w); err != nil {
		return fmt.Errorf("toy: %w", err)
	}
	s.set(w)
	return nil
}

func (s *toy) set(w []float64) {
	for k, p := range []*toyParam{s.bias(), s.weight(), s.weight()} {
		i := max(0, k-1)
		if p.data64 != nil {
			p.data64[i] = w[k]
		} else {
			p.data[i] = float32(w[k])
		}
	}
}

// Evaluate implements Evaluator: the loss over all rows, weighted.
func (s *toy) Evaluate(ctx context.Context, m *Metrics) error {
	if s.evaluating != nil {
		s.evaluating()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, weight := range toyWeights {
		x, y := toyRow(i)
		gap := -y
		for k, w := range s.w() {
			gap += w * x[k]
		}
		m.Add("loss", gap*gap/2, weight)
	}
	loss, _ := m.Value("loss")
	m.Set("perplexity", math.Exp(loss))
	return nil
}

// Sample implements Sampler.
func (s *toy) Sample(ctx context.Context) ([]Sample, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return []Sample{{Prompt: "w?", Completion: fmt.Sprint(s.w()), Reference: fmt.Sprint(toyMinimum), Finish: "stop"}, {Prompt: "two\nlines", Completion: "\u2028"}}, nil
}
