package adalora

import (
	"fmt"

	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Allocator implements train.Companion for one adapter.
type Allocator struct {
	budget lora.Budget
	layers []*layer
	ranks  int // of all layers at the start
	final  bool
}

var _ train.Companion = (*Allocator)(nil)

// layer is one update and what is known of its importance.
type layer struct {
	path    string
	update  *nn.Spectral
	a, e, b *average
	off     []bool // singular values that are taken away
}

// New is the allocator of an adapter of method lora.AdaLoRA.
func New(a *lora.Adapter) (*Allocator, error) {
	if m := a.Config().Method; m != lora.AdaLoRA {
		return nil, fmt.Errorf("adalora: adapter %q has method %q, want %q", a.Name(), string(m), string(lora.AdaLoRA))
	}
	s := &Allocator{budget: a.Config().Budget}
	for path, u := range a.Spectral() {
		s.layers = append(s.layers, &layer{path: path, update: u, a: newAverage(u.A), e: newAverage(u.E), b: newAverage(u.B), off: make([]bool, u.E.Len())})
		s.ranks += u.E.Len()
	}
	return s, nil
}

// Gradients adds the penalty to loss and gradients, then scores what they say.
func (s *Allocator) Gradients(step int, m *train.Metrics) error {
	penalty, err := s.penalise()
	if err != nil {
		return err
	}
	loss, _ := m.Value("loss")
	m.Set("loss", loss+s.budget.Orthogonality*penalty)
	m.Set("orthogonality", penalty)
	if s.final {
		return nil
	}
	for _, l := range s.layers {
		for _, a := range []*average{l.a, l.e, l.b} {
			if err := a.observe(s.budget.Beta1, s.budget.Beta2); err != nil {
				return fmt.Errorf("adalora: %s: %w", l.path, err)
			}
		}
	}
	return nil
}

// Updated lowers the ranks to the step's budget and zeroes what is not among them.
// Until the last allocation a singular value that was zeroed may come back.
func (s *Allocator) Updated(step int) error {
	last := s.budget.TotalSteps - s.budget.Final
	budget, due := Schedule(s.budget, s.ranks, s.budget.TargetRank*len(s.layers), step)
	switch {
	case step > last || s.final:
		due, s.final = false, true
	case step == last:
		due, s.final = true, true
	}
	if due {
		s.allocate(budget)
	}
	for _, l := range s.layers {
		if due || s.final {
			l.mask()
		}
	}
	return nil
}

// Ranks are the numbers of singular values that count, by the layers' paths.
func (s *Allocator) Ranks() map[string]int {
	ranks := map[string]int{}
	for _, l := range s.layers {
		ranks[l.path] = 0
		for _, off := range l.off {
			if !off {
				ranks[l.path]++
			}
		}
	}
	return ranks
}

// Schedule is the number of singular values that may count after a step, of start at
// the beginning and target at the end, and whether there is anything to do then: eq.
// 12 of the paper, a cubic decay between the warm-up and the final steps.
func Schedule(b lora.Budget, start, target, step int) (budget int, due bool) {
	last := b.TotalSteps - b.Final
	switch {
	case step <= b.Warmup:
		return start, false
	case step >= last:
		return target, true
	}
	left := 1 - float64(step-b.Warmup)/float64(last-b.Warmup)
	return int(float64(start-target)*left*left*left) + target, step%max(b.Interval, 1) == 0
}

// mask zeroes the singular values that are taken away.
func (l *layer) mask() {
	single, double := l.update.E.Data(), l.update.E.Data64()
	for i, off := range l.off {
		switch {
		case !off:
		case single != nil:
			single[i] = 0
		default:
			double[i] = 0
		}
	}
	l.update.E.Changed()
}

// values is a copy of the elements of p, and of its gradient, in float64.
func values(p *tensor.Param) (x, grad []float64, err error) {
	if p.Data64() != nil {
		x, grad = append(x, p.Data64()...), append(grad, p.Grad64()...)
	} else {
		for _, v := range p.Data() {
			x = append(x, float64(v))
		}
		for _, v := range p.Grad() {
			grad = append(grad, float64(v))
		}
	}
	if len(grad) != len(x) {
		return nil, nil, fmt.Errorf("adalora: parameter %s has no gradient, want one that is trained", p.Name())
	}
	return x, grad, nil
}
