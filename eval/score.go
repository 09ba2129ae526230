package eval

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// ErrNoAdapter says that the model has no adapter of that name.
var ErrNoAdapter = errors.New("eval: model has no such adapter")

// ScoreOptions size a Scorer. The zero value scores the base model in
// micro-batches of up to 2,048 tokens.
type ScoreOptions struct {
	Adapter  string // active adapter; empty for the base model
	Tokens   int    // of the largest micro-batch; 0 means 2,048
	Segments int    // examples in a micro-batch at most; 0 means Tokens/8
	Device   *tensor.Device
	// Arena is memory shared with programs that never run at the same time, such
	// as the trainer's; nil means memory of its own.
	Arena *tensor.Arena
}

func (o ScoreOptions) withDefaults() ScoreOptions {
	if o.Tokens == 0 {
		o.Tokens = 2048
	}
	if o.Segments == 0 {
		o.Segments = max(1, o.Tokens/8)
	}
	return o
}

// Validate reports everything wrong with the options.
func (o ScoreOptions) Validate() error {
	var errs []error
	if o.Tokens < 0 || o.Tokens > 1<<24 {
		errs = append(errs, fmt.Errorf("eval: Tokens: got %d, want 1 to %d, or 0 for 2,048", o.Tokens, 1<<24))
	}
	if o.Segments < 0 || o.Segments > 1<<24 {
		errs = append(errs, fmt.Errorf("eval: Segments: got %d, want 1 to %d, or 0 for Tokens/8", o.Segments, 1<<24))
	}
	return errors.Join(errs...)
}

// Scorer computes log-probabilities of the targets of packed batches. It is
// compiled once, computes live rows only, and holds no array of tokens ×
// vocabulary. It reads parameters live and belongs to one goroutine at a time.
type Scorer struct {
	run    *tensor.Program
	double bool

	tokens, positions, ends, prefix, rows, targets *tensor.Node

	logProb  *tensor.Node
	out      []float64
	prompted *model.Prompted // puts the adapter's virtual tokens before batches
}

// Axes of a Scorer's program.
const (
	axisTokens   = "tokens"
	axisSegments = "segments"
	axisTargets  = "targets"
)

// NewScorer compiles scoring with m.
func NewScorer(m model.Model, o ScoreOptions) (*Scorer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	virtual := model.VirtualTokens(m, o.Adapter)
	if o.Adapter != "" && !model.HasAdapter(m, o.Adapter) && virtual == 0 {
		return nil, fmt.Errorf("%w: %q", ErrNoAdapter, o.Adapter)
	}
	o = o.withDefaults()
	s := &Scorer{double: m.Head().Dtype() == tensor.Float64, out: make([]float64, 0, o.Tokens), prompted: model.NewPrompted(m, virtual)}
	g, err := tensor.Build(func(g *tensor.Graph) {
		s.declare(g, o, virtual)
		in := &model.Inputs{Tokens: s.tokens, Positions: s.positions, Ends: s.ends, Prefix: s.prefix, Adapter: o.Adapter}
		s.logProb = model.Distribution(m, in, m.Hidden(g, in)).LogProbs(s.rows, s.targets).LogProb
	})
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	s.run, err = tensor.Compile(g, tensor.Nodes{s.logProb}, tensor.CompileOptions{Device: o.Device, Arena: o.Arena, Axes: []tensor.Axis{
		{Name: axisTokens, Inputs: tensor.Nodes{s.tokens, s.positions}},
		{Name: axisSegments, Inputs: tensor.Nodes{s.ends, s.prefix}},
		{Name: axisTargets, Inputs: tensor.Nodes{s.rows, s.targets}},
	}})
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	return s, nil
}

func (s *Scorer) declare(g *tensor.Graph, o ScoreOptions, virtual int) {
	input := func(name string, n int) *tensor.Node { return tensor.Input(g, tensor.Int32, "score."+name, n) }
	s.rows, s.targets = input("rows", o.Tokens), input("targets", o.Tokens)
	if virtual > 0 {
		o.Tokens, o.Segments = o.Tokens+virtual, o.Segments+1
	}
	s.tokens, s.positions = input("tokens", o.Tokens), input("positions", o.Tokens)
	s.ends, s.prefix = input("ends", o.Segments), input("prefix", o.Segments)
}

// Close releases the program's memory.
func (s *Scorer) Close() error { return s.run.Close() }

// Bytes is the memory that the program needs beside the weights.
func (s *Scorer) Bytes() int { return s.run.Plan().Arena }

// LogProbs is the log-probability in nats of each target of b, (M). The slice is
// valid until the next call.
func (s *Scorer) LogProbs(b *data.Packed) ([]float64, error) {
	s.out = s.out[:0]
	if len(b.Rows) == 0 {
		return s.out, nil
	}
	if err := s.bind(b); err != nil {
		return nil, err
	}
	if err := s.run.Run(); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	if s.double {
		v, err := tensor.Values[float64](s.run, s.logProb)
		s.out = append(s.out, v...)
		return s.out, err
	}
	v, err := tensor.Values[float32](s.run, s.logProb)
	for _, x := range v {
		s.out = append(s.out, float64(x))
	}
	return s.out, err
}

// bind points the inputs at the batch.
func (s *Scorer) bind(b *data.Packed) error {
	batch, rows := s.prompted.Prepend(b.Batch, b.Rows)
	for _, a := range [...]struct {
		name string
		n    int
	}{{axisTokens, len(batch.Tokens)}, {axisSegments, len(batch.Ends)}, {axisTargets, len(rows)}} {
		if most := s.run.Capacity(a.name); a.n > most {
			return fmt.Errorf("eval: micro-batch has %d %s, want at most %d (ScoreOptions)", a.n, a.name, most)
		}
		if err := s.run.SetLive(a.name, a.n); err != nil {
			return err
		}
	}
	for _, in := range [...]struct {
		n *tensor.Node
		v []int32
	}{{s.tokens, batch.Tokens}, {s.positions, batch.Positions}, {s.ends, batch.Ends}, {s.prefix, batch.Prefix}, {s.rows, rows}, {s.targets, b.Targets}} {
		if err := tensor.Bind(s.run, in.n, in.v); err != nil {
			return err
		}
	}
	return nil
}
