package dpo

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
)

// Sync moves the reference towards the policy every few steps (TR-DPO):
//
//	π₀ ← α·π + (1−α)·π₀
//
// on the weights. With Mix 1 the reference becomes the policy ("hard" update);
// less is the soft one. TRL's settings are Every 512 and Mix 0.6.
//
// Gorbatovski et al. 2024, "Learn Your Reference Model for Real Good Alignment",
// arXiv:2404.09656, eqs. 10 and 11.
//
// With an adapter the reference is a copy of it, whose matrices A and B are mixed
// one by one: with Mix 1 that is exact, with less it is not the mixture of the
// products B·A. Without an adapter Reference.Model must be a second model of the
// same shape, whose weights are changed. The mixed reference is part of every
// checkpoint, so that a resumed run is the undisturbed one.
type Sync struct {
	Every int     // optimizer steps between two moves, τ; 0 never moves
	Mix   float64 // α in (0, 1]; 0 means 1
}

func (s Sync) off() bool { return s.Every == 0 }

// String says what differs from a reference that stands still.
func (s Sync) String() string {
	if s.off() {
		return ""
	}
	return fmt.Sprintf(", moved by %g every %d steps", s.mix(), s.Every)
}

func (s Sync) mix() float64 {
	if s.Mix == 0 {
		return 1
	}
	return s.Mix
}

// validate reports what cannot be moved.
func (s Sync) validate(r Reference) error {
	var faults []error
	if s.Every < 0 {
		faults = append(faults, fmt.Errorf("dpo: Reference.Sync.Every: got %d, want 0 (never) or more", s.Every))
	}
	if !(s.Mix >= 0 && s.Mix <= 1) {
		faults = append(faults, fmt.Errorf("dpo: Reference.Sync.Mix: got %g, want a share in (0, 1], or 0 for 1", s.Mix))
	}
	if s.Every > 0 && (r.Base || r.caches()) {
		faults = append(faults, errors.New("dpo: Reference.Sync: got a reference that stands still (Base, Cached or File), want none of them"))
	}
	return errors.Join(faults...)
}

// follower is a reference that moves.
type follower struct {
	sync     Sync
	from, to []*tensor.Param
	done     uint64 // steps after which it last moved
}

// newFollower pairs the weights of policy and reference; nil when it stands still.
func newFollower(r Reference, f *Frozen, p Policy) (*follower, error) {
	if r.Sync.off() {
		return nil, nil
	}
	w := &follower{sync: r.Sync, from: p.Params()}
	switch {
	case f.copied != nil:
		for _, q := range f.copied.Params() {
			w.to = append(w.to, q)
		}
	case p.Adapter == nil && r.Model != nil && r.Adapter == "":
		for _, q := range r.Model.Params() {
			w.to = append(w.to, q)
		}
	default:
		return nil, fmt.Errorf("%w: dpo: Reference.Sync: got no weights that could move, want an adapter as policy (and no Reference.Model), or all weights and a second model as Reference.Model", ErrOptions)
	}
	return w, w.check()
}

// check compares shapes and storage.
func (w *follower) check() error {
	if len(w.from) != len(w.to) {
		return fmt.Errorf("%w: dpo: Reference.Sync: got a reference of %d weights, want the policy's %d", ErrOptions, len(w.to), len(w.from))
	}
	for i, q := range w.to {
		switch p := w.from[i]; {
		case p == q:
			return fmt.Errorf("%w: dpo: Reference.Sync: got the policy's own weight %s in the reference, want a second model", ErrOptions, q.Name())
		case p.Dtype() != q.Dtype() || !slices.Equal(p.Shape(), q.Shape()):
			return fmt.Errorf("%w: dpo: Reference.Sync: %s is %v %v, want %v %v as %s", ErrOptions, q.Name(), q.Dtype(), q.Shape(), p.Dtype(), p.Shape(), p.Name())
		}
	}
	return nil
}

// follow moves the reference when that is due after so many steps. Calling it
// again changes nothing.
func (w *follower) follow(steps uint64) {
	if w == nil || steps == 0 || steps == w.done || steps%uint64(w.sync.Every) != 0 {
		return
	}
	w.done = steps
	for i, q := range w.to {
		if d := q.Data64(); d != nil {
			blend(d, w.from[i].Data64(), w.sync.mix())
		} else {
			blend(q.Data(), w.from[i].Data(), w.sync.mix())
		}
		q.Changed()
	}
}

// blend is dst ← mix·src + (1−mix)·dst.
func blend[T tensor.Float](dst, src []T, mix float64) {
	if mix == 1 {
		copy(dst, src)
		return
	}
	for i, v := range src {
		dst[i] = T(mix*float64(v) + (1-mix)*float64(dst[i]))
	}
}

// referenceFile holds a moved reference in a checkpoint.
const referenceFile = "reference.safetensors"

// save writes the reference beside the policy's weights.
func (w *follower) save(dir string) error {
	if w == nil {
		return nil
	}
	return policy.SaveParams(filepath.Join(dir, referenceFile), w.to)
}

// load reads it back.
func (w *follower) load(dir string) error {
	if w == nil {
		return nil
	}
	return policy.LoadParams(filepath.Join(dir, referenceFile), w.to)
}
