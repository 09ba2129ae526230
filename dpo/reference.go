package dpo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
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
	// File keeps those log-probabilities on disk (safetensors) and implies Cached.
	// Where there is no such file it is written; one of another model, adapter,
	// data or layout is refused (ErrCache). Evaluation data have a file of their
	// own beside it, with ".eval" before the extension.
	File string
	// Sync moves the reference towards the policy as training goes; the zero value
	// keeps it still.
	Sync Sync
}

// caches says whether log-probabilities are computed beforehand.
func (r Reference) caches() bool { return r.Cached || r.File != "" }

func (r Reference) validate() error {
	var faults []error
	if r.Base && r.Model != nil {
		faults = append(faults, errors.New("dpo: Reference: got Base and Model, want one of them"))
	}
	if r.Adapter != "" && r.Model == nil {
		faults = append(faults, fmt.Errorf("dpo: Reference.Adapter: got %q without Model, want the model it belongs to", r.Adapter))
	}
	faults = append(faults, r.Sync.validate(r))
	if r.Model != nil && r.Adapter != "" {
		if err := policy.Attached(r.Model, r.Adapter); err != nil {
			faults = append(faults, fmt.Errorf("dpo: Reference.Adapter: %w", err))
		}
	}
	return errors.Join(faults...)
}

// Frozen is what a Reference comes to for a policy: a model with one of its
// adapters, as it stands.
type Frozen struct {
	Model   model.Model
	Adapter string // "" for none
	Name    string // for errors and saved states
	Start   bool   // it is the policy at the start, by construction

	copied *lora.Adapter // attached for the reference; nil when nothing was
	cached bool
	file   string
}

// Release detaches what Resolve attached to the model.
func (f *Frozen) Release() {
	if f.copied != nil {
		f.copied.Remove()
		f.copied = nil
	}
}

// Resolve decides what the reference of p is. It may attach a copy of p's adapter
// to the model, which stays until Release.
func (r Reference) Resolve(p Policy) (*Frozen, error) {
	f := &Frozen{Model: p.Model, cached: r.caches(), file: r.File}
	switch {
	case r.Model != nil:
		if got, want := r.Model.Config().VocabSize, p.Model.Config().VocabSize; got != want {
			return nil, fmt.Errorf("dpo: Reference.Model: got a vocabulary of %d tokens, want the policy's %d", got, want)
		}
		f.Model, f.Adapter, f.Name = r.Model, r.Adapter, "another model"
		return f, nil
	case p.Adapter == nil:
		f.Start, f.cached, f.Name = true, true, "the model at the start"
		return f, nil
	case r.Sync.off() && (r.Base || p.Adapter.Zero()):
		f.Start, f.Name = p.Adapter.Zero(), "the base model"
		return f, nil
	}
	return f, f.copyAdapter(p)
}

// copyAdapter makes a frozen copy of the policy's adapter the reference.
func (f *Frozen) copyAdapter(p Policy) error {
	name := freeName(p.Model)
	copied, err := p.Adapter.Clone(name)
	if err != nil {
		return fmt.Errorf("dpo: reference: %w", err)
	}
	sum := sha256.New()
	for _, q := range copied.Params() {
		sum.Write(policy.Memory(q))
	}
	f.Adapter, f.copied, f.Start = name, copied, true
	f.Name = "the adapter at the start, " + hex.EncodeToString(sum.Sum(nil)[:8])
	return nil
}

// freeName is a name for the reference that no adapter of m has.
func freeName(m model.Model) string {
	name := "reference"
	for i := 2; model.HasAdapter(m, name); i++ {
		name = fmt.Sprintf("reference%d", i)
	}
	return name
}
