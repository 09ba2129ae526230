package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor"
)

// factoredRule is what the two forms of Adafactor differ in.
type factoredRule interface {
	// rate is the step size for a parameter of root mean square rms, and the
	// share by which weights decay.
	rate(step int, c slotCoeff, rms float64) (size, decay float64)
	// keep is how much of the old second moment stays.
	keep(step int) float64
	// added is what squares of gradients are raised by.
	added() float64
	// inverse is 1/√ of a second moment, or of a product of its factors: that
	// of the row over the mean of all rows, and that of the column.
	inverse(row, mean, column float64, wide bool) float64
	// limit is what the root mean square of the update is clipped to.
	limit() float64
	// momentum is β1, 0 for none.
	momentum() float64
}

// factored is the state of an Adafactor. Updates need sums over a whole
// parameter, so cores share the parameters, not their parts.
type factored struct {
	rule     factoredRule
	maximize bool
	slots    []factoredSlot
	device   *tensor.Device

	step      int
	lr, scale float64
}

type factoredSlot struct {
	param           Parameter
	lrFactor, decay float64
	dims            [3]int // matrices, rows, columns; no rows: not factored
	f32             factors[float32]
	f64             factors[float64]
	sums            []float64 // of one matrix's columns
}

// factors are the state tensors of one parameter: second moments by row and by
// column, or of each element, and the mean of updates with momentum.
type factors[T kernel.Float] struct{ row, col, full, mean []T }

func (u *factored) start(slots []Slot, decay float64) (Updater, error) {
	if err := checkSlots(slots); err != nil {
		return nil, err
	}
	for _, s := range slots {
		slot := factoredSlot{param: s.Param, lrFactor: s.LRFactor, decay: decay}
		if s.WeightDecay != nil {
			slot.decay = *s.WeightDecay
		}
		shape := s.Param.Shape()
		slot.dims = [3]int{1, 0, elements(shape)}
		if k := len(shape); k >= 2 {
			slot.dims = [3]int{elements(shape[:k-2]), shape[k-2], shape[k-1]}
			slot.sums = make([]float64, shape[k-1])
		}
		if data := s.Param.Data(); data != nil {
			slot.f32 = newFactors[float32](slot.dims, u.rule.momentum() > 0)
		} else {
			slot.f64 = newFactors[float64](slot.dims, u.rule.momentum() > 0)
		}
		u.slots = append(u.slots, slot)
	}
	return u, nil
}

func newFactors[T kernel.Float](d [3]int, mean bool) factors[T] {
	var f factors[T]
	n := d[0] * d[2]
	if d[1] > 0 {
		n *= d[1]
		f.row, f.col = make([]T, d[0]*d[1]), make([]T, d[0]*d[2])
	} else {
		f.full = make([]T, n)
	}
	if mean {
		f.mean = make([]T, n)
	}
	return f
}

// Update implements Updater.
func (u *factored) Update(step int, lr, gradScale float64) {
	u.step, u.lr, u.scale = step, lr, gradScale
	if u.maximize {
		u.scale = -gradScale
	}
	runChunks(u.device, u, len(u.slots))
	for i := range u.slots {
		u.slots[i].param.Changed()
	}
}

// Do implements kernel.Task: it updates one parameter.
func (u *factored) Do(slot, _ int) {
	s := &u.slots[slot]
	data, grad, data64, grad64 := storage(s.param)
	if data != nil {
		factoredStep(u, s, s.f32, data, grad)
	} else {
		factoredStep(u, s, s.f64, data64, grad64)
	}
}

func factoredStep[T kernel.Float](u *factored, s *factoredSlot, f factors[T], p, g []T) {
	c := slotCoeff{lr: u.lr * s.lrFactor, decay: s.decay, scale: u.scale}
	n := float64(len(p))
	size, decay := u.rule.rate(u.step, c, math.Sqrt(kernel.SumSquares(p)/n))
	f.gather(u.rule, s, g, u.rule.keep(u.step), c.scale)
	var squares float64
	f.each(u.rule, s.dims, func(i int, inverse float64) {
		d := inverse * float64(g[i]) * c.scale
		squares += d * d
	})
	size /= max(1, math.Sqrt(squares/n)/u.rule.limit())
	beta := u.rule.momentum()
	f.each(u.rule, s.dims, func(i int, inverse float64) {
		move := inverse * float64(g[i]) * c.scale * size
		if f.mean != nil {
			move = beta*float64(f.mean[i]) + (1-beta)*move
			f.mean[i] = T(move)
		}
		p[i] = T(float64(p[i])*(1-decay) - move)
	})
}

// gather takes the squares of gradients into the second moments.
func (f factors[T]) gather(rule factoredRule, s *factoredSlot, g []T, keep, scale float64) {
	square := func(i int) float64 {
		v := float64(g[i]) * scale
		return v*v + rule.added()
	}
	if f.full != nil {
		for i := range f.full {
			f.full[i] = T(keep*float64(f.full[i]) + (1-keep)*square(i))
		}
		return
	}
	rows, cols := s.dims[1], s.dims[2]
	for m := range s.dims[0] {
		clear(s.sums)
		for r := range rows {
			var sum float64
			for k := range cols {
				v := square((m*rows+r)*cols + k)
				sum += v
				s.sums[k] += v
			}
			at := &f.row[m*rows+r]
			*at = T(keep*float64(*at) + (1-keep)*sum/float64(cols))
		}
		for k, sum := range s.sums {
			at := &f.col[m*cols+k]
			*at = T(keep*float64(*at) + (1-keep)*sum/float64(rows))
		}
	}
}

// each calls do with every element's 1/√ of the second moment.
func (f factors[T]) each(rule factoredRule, dims [3]int, do func(i int, inverse float64)) {
	if f.full != nil {
		for i, v := range f.full {
			do(i, rule.inverse(float64(v), 1, 1, isWide[T]()))
		}
		return
	}
	rows, cols := dims[1], dims[2]
	for m := range dims[0] {
		var mean float64
		for _, v := range f.row[m*rows : (m+1)*rows] {
			mean += float64(v) / float64(rows)
		}
		for r := range rows {
			row := float64(f.row[m*rows+r])
			for k := range cols {
				do((m*rows+r)*cols+k, rule.inverse(row, mean, float64(f.col[m*cols+k]), isWide[T]()))
			}
		}
	}
}

// isWide says whether T is float64: a float32 cannot tell 1 from 1 + 2⁻⁵².
func isWide[T kernel.Float]() bool {
	one := T(1)
	return one+T(machineEpsilon64) != one
}

// State implements Updater with transformers' names.
func (u *factored) State() []StateTensor {
	var all []StateTensor
	for i := range u.slots {
		s := &u.slots[i]
		name, shape := s.param.Name(), s.param.Shape()
		add := func(what string, shape []int, f32 []float32, f64 []float64) {
			if f32 != nil || f64 != nil {
				all = append(all, StateTensor{Name: name + "." + what, Shape: shape, F32: f32, F64: f64})
			}
		}
		add("exp_avg_sq_row", []int{s.dims[0], s.dims[1]}, s.f32.row, s.f64.row)
		add("exp_avg_sq_col", []int{s.dims[0], s.dims[2]}, s.f32.col, s.f64.col)
		add("exp_avg_sq", shape, s.f32.full, s.f64.full)
		add("exp_avg", shape, s.f32.mean, s.f64.mean)
	}
	return all
}

// UseDevice implements DeviceUser.
func (u *factored) UseDevice(d *tensor.Device) { u.device = d }
