package policy

import (
	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// Live computes the log-probabilities of targets, without gradients, whenever it
// is asked.
type Live struct {
	run *tensor.Program
	Texts
	logProb *tensor.Node // (M)
}

// NewLive compiles the forward pass of a model with an adapter, "" for none. Of o,
// the axes are filled in.
func NewLive(m model.Model, adapter string, s Size, o tensor.CompileOptions) (*Live, error) {
	l := &Live{}
	g, err := tensor.Build(func(g *tensor.Graph) {
		l.Declare(g, s)
		in := l.Inputs(adapter)
		l.logProb = model.Distribution(m, in, m.Hidden(g, in)).LogProbs(l.Rows, l.Texts.Targets).LogProb
	})
	if err != nil {
		return nil, err
	}
	o.Axes = l.Axes(nil, nil)
	l.run, err = tensor.Compile(g, tensor.Nodes{l.logProb}, o)
	return l, err
}

// Score appends the log-probabilities of the targets of a micro-batch.
func (l *Live) Score(dst []float64, b *data.Packed) ([]float64, error) {
	if err := l.Bind(l.run, b); err != nil {
		return dst, err
	}
	if err := l.run.Run(); err != nil {
		return dst, err
	}
	return AppendValues(dst, l.run, l.logProb)
}
