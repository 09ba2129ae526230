package dpo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// Reference says which frozen policy π₀ a run compares with. The zero value is the
// policy as it is when New is called: with an adapter that is still zero, the
// model without it, which costs nothing; with another adapter, as after
// fine-tuning, a frozen copy of the adapter, attached to the model beside it under
// the name "reference"; without an adapter, log-probabilities of all pairs,
// computed by New and kept in memory.
//
// A run that is resumed needs the policy at its start again: pass New the same
// model and adapter as the first time.
type Reference struct {
	// Model is a frozen model that is the reference; nil means the policy's own.
	Model model.Model
	// Adapter names the adapter of Model that is active, "" for none. It needs
	// Model; to name an adapter of the policy's model, give that.
	Adapter string
	// Base makes the policy's model without any adapter the reference, even where
	// the adapter is not zero.
	Base bool
	// Cached computes the reference's log-probabilities of all pairs before the
	// first step and keeps them, 8 bytes a token, instead of a forward pass of the
	// reference in every step. It needs a Batcher as source.
	Cached bool
}

func (r Reference) validate() error {
	var faults []error
	if r.Base && r.Model != nil {
		faults = append(faults, errors.New("dpo: Reference: got Base and Model, want one of them"))
	}
	if r.Adapter != "" && r.Model == nil {
		faults = append(faults, fmt.Errorf("dpo: Reference.Adapter: got %q without Model, want the model it belongs to", r.Adapter))
	}
	if r.Model != nil && r.Adapter != "" && !model.HasAdapter(r.Model, r.Adapter) {
		faults = append(faults, fmt.Errorf("dpo: Reference.Adapter: got %q, which is not attached to Reference.Model", r.Adapter))
	}
	return errors.Join(faults...)
}

// frozen is a resolved reference: a model with an adapter, as it stands.
type frozen struct {
	model   model.Model
	adapter string
	name    string // for errors and saved states
	start   bool   // it is the policy at the start, by construction
	cached  bool
}

// resolve decides what the reference is.
func (r Reference) resolve(p Policy) (frozen, error) {
	f := frozen{model: p.Model, cached: r.Cached}
	switch {
	case r.Model != nil:
		if got, want := r.Model.Config().VocabSize, p.Model.Config().VocabSize; got != want {
			return f, fmt.Errorf("dpo: Reference.Model: got a vocabulary of %d tokens, want the policy's %d", got, want)
		}
		f.model, f.adapter, f.name = r.Model, r.Adapter, "another model"
		return f, nil
	case p.Adapter == nil:
		f.start, f.cached, f.name = true, true, "the model at the start"
		return f, nil
	case r.Base || p.Adapter.Zero():
		f.start, f.name = p.Adapter.Zero(), "the base model"
		return f, nil
	}
	name := freeName(p.Model)
	copied, err := p.Adapter.Clone(name)
	if err != nil {
		return f, fmt.Errorf("dpo: reference: %w", err)
	}
	sum := sha256.New()
	for _, q := range copied.Params() {
		sum.Write(memory(q))
	}
	f.adapter, f.start, f.name = name, true, "the adapter at the start, "+hex.EncodeToString(sum.Sum(nil)[:8])
	return f, nil
}

// freeName is a name for the reference that no adapter of m has.
func freeName(m model.Model) string {
	name := "reference"
	for i := 2; model.HasAdapter(m, name); i++ {
		name = fmt.Sprintf("reference%d", i)
	}
	return name
}

// scorer gives the reference's log-probabilities of the targets of a micro-batch.
type scorer interface {
	score(dst []float64, b *Batch) ([]float64, error)
}

// live is a reference that is computed when it is asked.
type live struct {
	run *tensor.Program
	texts
	logProb *tensor.Node // (M)
}

// newLive compiles the forward pass of a frozen policy.
func newLive(f frozen, o Options, s size, arena *tensor.Arena) (*live, error) {
	l, g, co, err := describeLive(f, o, s)
	if err != nil {
		return nil, err
	}
	co.Arena = arena
	l.run, err = tensor.Compile(g, tensor.Nodes{l.logProb}, co)
	return l, err
}

func describeLive(f frozen, o Options, s size) (*live, *tensor.Graph, tensor.CompileOptions, error) {
	l := &live{}
	g, err := tensor.Build(func(g *tensor.Graph) {
		l.declare(g, s)
		in := l.inputs(f.adapter)
		l.logProb = model.Distribution(f.model, in, f.model.Hidden(g, in)).LogProbs(l.rows, l.targets).LogProb
	})
	return l, g, tensor.CompileOptions{Device: o.Device, Debug: o.Debug, Axes: l.axes(nil, nil)}, err
}

func (l *live) score(dst []float64, b *Batch) ([]float64, error) {
	if err := l.bind(l.run, b); err != nil {
		return dst, err
	}
	if err := l.run.Run(); err != nil {
		return dst, err
	}
	return appendValues(dst, l.run, l.logProb)
}

// cache holds the log-probabilities of every pair's answers, chosen first.
type cache struct{ pairs [][]float64 }

// paired is a source that can list its pairs; Batcher is one.
type paired interface {
	Pairs() []Pair
	Options() BatchOptions
}

// newCache scores all pairs of a source, packed as the source packs them.
func newCache(s scorer, capacity size, src any) (*cache, error) {
	from, ok := src.(paired)
	if !ok {
		return nil, fmt.Errorf("dpo: Reference: got a source (%T) that cannot list its pairs, so that their log-probabilities cannot be computed beforehand; want a Batcher, an adapter, or Reference.Model", src)
	}
	o := from.Options()
	walk, err := NewBatcher(from.Pairs(), BatchOptions{
		PairsPerStep: capacity.pairs, TokensPerMicro: o.TokensPerMicro, Separate: o.Separate, Epochs: 1, Sequential: true,
	})
	if err != nil {
		return nil, err
	}
	c := &cache{pairs: make([][]float64, len(from.Pairs()))}
	var step Step
	var all []float64
	for range walk.Steps(1) {
		if err := walk.Next(&step); err != nil {
			return nil, err
		}
		for i := range step.Micro {
			b := &step.Micro[i]
			if all, err = s.score(all[:0], b); err != nil {
				return nil, fmt.Errorf("dpo: reference: %w", err)
			}
			at := 0
			for _, pair := range b.Pairs {
				p := from.Pairs()[pair]
				n := len(p.Chosen) + len(p.Rejected)
				c.pairs[pair] = append([]float64(nil), all[at:at+n]...)
				at += n
			}
		}
	}
	return c, nil
}

func (c *cache) score(dst []float64, b *Batch) ([]float64, error) {
	for _, i := range b.Pairs {
		if i < 0 || int(i) >= len(c.pairs) {
			return dst, fmt.Errorf("dpo: reference: got pair %d, want one of the %d whose log-probabilities are known", i, len(c.pairs))
		}
		dst = append(dst, c.pairs[i]...)
	}
	if len(dst) != len(b.Targets) {
		return dst, fmt.Errorf("dpo: reference: got %d log-probabilities of a micro-batch's pairs, want %d", len(dst), len(b.Targets))
	}
	return dst, nil
}
