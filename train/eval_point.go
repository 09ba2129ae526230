package train

import "github.com/posttrain/posttrain/internal/kernel"

// EvalPoint is an Updater whose result is not where it takes gradients. The
// trainer has the parameters at the evaluation point while it evaluates, samples,
// saves and exports, and leaves them there when the run is over; its checkpoints
// hold that point as the weights and the training point as optimizer state.
// Between steps, in hooks too, parameters are at the training point.
type EvalPoint interface {
	// SetEvalPoint moves the parameters to the evaluation point, or back to
	// exactly where they were. Asking for the point they are at does nothing.
	SetEvalPoint(on bool)
}

// atEvalPoint calls f with the parameters at the optimizer's evaluation point.
func (t *Trainer) atEvalPoint(f func() error) error {
	if e, ok := t.optimizer.(EvalPoint); ok {
		e.SetEvalPoint(true)
		defer e.SetEvalPoint(false)
	}
	return f()
}

// rest leaves the parameters of a finished run at the evaluation point.
func (t *Trainer) rest() {
	if e, ok := t.optimizer.(EvalPoint); ok {
		e.SetEvalPoint(true)
	}
}

// twoPoints keeps the training point y of every parameter while the evaluation
// point x = y + (1 - 1/β1)·(z - y) is in its place.
type twoPoints struct {
	*elementwise
	beta1 float64
	away  bool // at x
	y32   [][]float32
	y64   [][]float64
}

func newTwoPoints(e *elementwise, beta1 float64) *twoPoints {
	u := &twoPoints{elementwise: e, beta1: beta1}
	for i := range e.slots {
		u.y32 = append(u.y32, make([]float32, len(e.slots[i].f32[0])))
		u.y64 = append(u.y64, make([]float64, len(e.slots[i].f64[0])))
	}
	return u
}

// SetEvalPoint implements EvalPoint.
func (u *twoPoints) SetEvalPoint(on bool) {
	if u.away == on {
		return
	}
	u.away = on
	for i := range u.slots {
		s := &u.slots[i]
		data, _, data64, _ := storage(s.param)
		swapPoint(data, u.y32[i], s.f32[0], u.beta1, on)
		swapPoint(data64, u.y64[i], s.f64[0], u.beta1, on)
		s.param.Changed()
	}
}

func swapPoint[T kernel.Float](p, kept, z []T, beta1 float64, on bool) {
	if !on {
		copy(p, kept)
		return
	}
	copy(kept, p)
	for i, y := range kept {
		p[i] = T(float64(y) + (1-1/beta1)*(float64(z[i])-float64(y)))
	}
}

// State implements Updater: the training point too, wherever it is now, so that
// a checkpoint's weights can be the evaluation point.
func (u *twoPoints) State() []StateTensor {
	all := u.elementwise.State()
	for i := range u.slots {
		s := &u.slots[i]
		data, _, data64, _ := storage(s.param)
		y := StateTensor{Name: s.param.Name() + ".train_point", Shape: s.param.Shape(), F32: data, F64: data64}
		if u.away && data != nil {
			y.F32 = u.y32[i]
		} else if u.away {
			y.F64 = u.y64[i]
		}
		all = append(all, y)
	}
	return all
}
