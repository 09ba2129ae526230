package gradcheck

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/tensor"
)

// Function is what Check differentiates.
type Function struct {
	Inputs []Input
	// Params are parameters that Build uses, Float64 and trainable. Their values
	// are changed during the check and restored, their gradient accumulators are
	// overwritten.
	Params []*tensor.Param
	// Axes are dynamic leading axes; empty where every input is used in full.
	Axes []Axis
	// Build describes the outputs, of any shape in Float64, from the inputs by
	// name. Outputs of Int32 are ignored.
	Build func(g *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes
}

// Input is an input of a Function: a Float64 tensor or a vector of ids.
type Input struct {
	Name  string
	Shape []int // of the capacity; nil stands for a vector of the length of the values
	Data  []float64
	IDs   []int32 // for an input of Int32, which has no gradient; Data is nil then
	// Constant says that no gradient is asked for.
	Constant bool
}

// Axis is a dynamic leading axis: the inputs that share it, and how many rows of
// their capacity are live.
type Axis struct {
	Name   string
	Inputs []string
	Live   int
}

// shape is the declared shape, or a vector's.
func (in *Input) shape() []int {
	if in.Shape != nil {
		return in.Shape
	}
	return []int{len(in.Data) + len(in.IDs)}
}

// Validate reports every fault of f.
func (f *Function) Validate() error {
	var faults []error
	if f.Build == nil {
		faults = append(faults, errors.New("gradcheck: function without Build"))
	}
	free := len(f.Params)
	for i := range f.Inputs {
		in := &f.Inputs[i]
		if (in.Data == nil) == (in.IDs == nil) {
			faults = append(faults, fmt.Errorf("gradcheck: input %q: want either Data or IDs", in.Name))
		}
		if in.Data != nil && !in.Constant {
			free++
		}
	}
	if free == 0 {
		faults = append(faults, errors.New("gradcheck: nothing to differentiate by, want an input that is not constant, or a parameter"))
	}
	for _, p := range f.Params {
		if p.Grad64() == nil {
			faults = append(faults, fmt.Errorf("gradcheck: parameter %s: got %v, trainable %t, want a trainable parameter of float64", p.Name(), p.Dtype(), p.Trainable()))
		}
	}
	return errors.Join(faults...)
}

// Options control Check. The zero value uses the defaults.
type Options struct {
	// Step is the change of an input element x, times max(1, |x|); 0 means 1e-5.
	Step float64
	// Tolerance bounds Deviation.Error; 0 means 1e-6. Both the truncation of the
	// difference and its rounding stay below 3e-7 for functions whose third
	// derivative is of the size of the first.
	Tolerance float64
	// Samples limits the number of elements tried in each input and parameter,
	// spread evenly; 0 means all.
	Samples int
	// Seed keys the weights of the outputs and the random numbers of the graph.
	Seed uint64
}

func (o Options) withDefaults() Options {
	if o.Step == 0 {
		o.Step = 1e-5
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-6
	}
	return o
}

// ErrGradient is wrapped by the error of a gradient that differs from its
// central difference.
var ErrGradient = errors.New("gradient differs from central difference")

// Deviation is how far one element of a gradient is from its difference.
type Deviation struct {
	Name      string // input or parameter
	Index     int    // element
	Got, Want float64
	// Error is |Got − Want| relative to the largest element of the difference,
	// or to 1e-4 of the sum of the outputs' magnitudes where that is larger:
	// what is below is rounding.
	Error float64
}

// String names the element and both numbers.
func (d Deviation) String() string {
	return fmt.Sprintf("%s[%d]: got %g, want %g (error %.2g)", d.Name, d.Index, d.Got, d.Want, d.Error)
}

// Result is what Check found.
type Result struct {
	Checked int       // elements compared
	Worst   Deviation // the one with the largest error
}
