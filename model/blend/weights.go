package blend

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/posttrain/posttrain/tensor"
)

// Set lists named parameters, as model.Model.Params does.
type Set = iter.Seq2[string, *tensor.Param]

// ErrMismatch says that models do not have the same parameters.
var ErrMismatch = errors.New("blend: the models do not have the same parameters")

// Method combines the values of one parameter.
type Method interface {
	// Name identifies the method in reports and on command lines.
	Name() string
	// NeedsBase says whether Combine is to be given a base.
	NeedsBase() bool
	// Check reports parameters that make no sense for so many models.
	Check(models int) error
	// Combine writes into dst what the values of the models give for the parameter
	// of that name; base is nil unless NeedsBase. All have the length of dst, which
	// aliases none of them.
	Combine(dst, base []float64, models [][]float64, name string)
}

// Weights sets each parameter of dst to what m makes of the parameters of that name
// in models, and in base where the method needs one (nil else). Their types may
// differ; dst may be the same parameters as one of the others. It changes nothing
// unless all have the same names and shapes (ErrMismatch), and no result is left
// that is not finite.
func Weights(dst, base Set, models []Set, m Method) error {
	if err := m.Check(len(models)); err != nil {
		return err
	}
	if m.NeedsBase() == (base == nil) {
		return fmt.Errorf("blend: %s: got base %t, want %t", m.Name(), base != nil, m.NeedsBase())
	}
	sources := models
	if base != nil {
		sources = append(slices.Clone(models), base)
	}
	rows, err := align(dst, sources)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := r.combine(m, base != nil); err != nil {
			return err
		}
	}
	return nil
}

// row is a parameter of the destination with those of the same name.
type row struct {
	name string
	dst  *tensor.Param
	from []*tensor.Param // of the models, then of the base
}

// align finds the parameters that belong together.
func align(dst Set, sources []Set) ([]row, error) {
	var rows []row
	at := map[string]int{}
	for name, p := range dst {
		at[name] = len(rows)
		rows = append(rows, row{name: name, dst: p})
	}
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrMismatch}, args...)...))
	}
	for k, s := range sources {
		for name, p := range s {
			i, ok := at[name]
			switch {
			case !ok:
				bad("model %d has %s, which the destination lacks", k, name)
			case !slices.Equal(p.Shape(), rows[i].dst.Shape()):
				bad("%s has shape %v in model %d, want %v", name, p.Shape(), k, rows[i].dst.Shape())
			default:
				rows[i].from = append(rows[i].from, p)
			}
		}
		for _, r := range rows {
			if len(r.from) != k+1 && len(faults) == 0 {
				bad("model %d lacks %s", k, r.name)
			}
		}
		if len(faults) > 0 {
			return nil, errors.Join(faults[:min(len(faults), maxFaults)]...)
		}
	}
	return rows, nil
}

// maxFaults bounds the parameters that one error lists.
const maxFaults = 10

// combine computes one parameter.
func (r row) combine(m Method, withBase bool) error {
	values := make([][]float64, len(r.from))
	for i, p := range r.from {
		wide, err := p.Convert(tensor.Float64)
		if err != nil {
			return err
		}
		values[i] = wide.Data64()
	}
	var base []float64
	if withBase {
		base, values = values[len(values)-1], values[:len(values)-1]
	}
	out := make([]float64, r.dst.Len())
	m.Combine(out, base, values, r.name)
	return store(r.dst, out)
}

// store sets p to values, unless one is not finite in the type of p.
func store(p *tensor.Param, values []float64) error {
	wide, err := tensor.NewParam(p.Name(), values, p.Shape()...)
	if err != nil {
		return err
	}
	narrow, err := wide.Convert(p.Dtype())
	if err != nil {
		return err
	}
	if i := notFinite(narrow); i >= 0 {
		return fmt.Errorf("blend: %s: element %d is %g, want a finite number", p.Name(), i, values[i])
	}
	return p.Set(values) // into memory of its own: the old may be a mapped file
}

// notFinite is the first element that is a NaN or an infinity, -1 for none.
func notFinite(p *tensor.Param) int {
	for i, x := range p.Float32s() {
		if x-x != 0 {
			return i
		}
	}
	return -1
}
