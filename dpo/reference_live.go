package dpo

import (
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
)

// scorer gives the reference's log-probabilities of the targets of a micro-batch.
type scorer interface {
	score(dst []float64, b *Batch) ([]float64, error)
}

// live is a reference that is computed when it is asked.
type live struct{ *policy.Live }

func (l live) score(dst []float64, b *Batch) ([]float64, error) { return l.Score(dst, &b.Packed) }

// frozen settles the reference; there is none when the loss does not look at it.
func (o Options) frozen(p Policy) (*Frozen, error) {
	if traits(o.Loss, o.beta()).ReferenceFree {
		return &Frozen{Name: "none"}, nil
	}
	return o.Reference.Resolve(p)
}

// newScorer makes what gives the reference's log-probabilities for a source; nil
// where there is no reference.
func newScorer(f *Frozen, o Options, arena *tensor.Arena, src any) (scorer, error) {
	if f.Model == nil {
		return nil, nil
	}
	l, err := policy.NewLive(f.Model, f.Adapter, o.size().pass(), tensor.CompileOptions{Device: o.Device, Debug: o.Debug, Arena: arena})
	if err != nil || !f.cached {
		return live{l}, err
	}
	return newCache(live{l}, f, o.size(), src)
}
