package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Errors that loading wraps.
var (
	// ErrMissingWeight says that the checkpoint lacks a parameter.
	ErrMissingWeight = errors.New("model: weight is missing")
	// ErrUnusedWeight says that the checkpoint holds a tensor that the model does
	// not use, so that it would lose something.
	ErrUnusedWeight = errors.New("model: weight is not used")
	// ErrBadWeight says that a parameter has the wrong shape or holds a NaN or an
	// infinity.
	ErrBadWeight = errors.New("model: weight is wrong")
)

// Source is where weights come from: a checkpoint under Hugging Face names.
type Source interface {
	// Names lists the tensors that the source holds.
	Names() []string
	// Param reads one tensor, in its storage type where that is float32,
	// bfloat16 or float16, else as float32. A source that knows what the loader
	// will convert to may do so at once.
	Param(name string) (*tensor.Param, error)
}

// LoadOptions control how weights are kept in memory.
type LoadOptions struct {
	// Weights is the storage type of matrices. The zero value keeps what the file
	// has. Vectors (norms, biases) are float32 unless Weights is Float64.
	Weights tensor.Dtype
	// SkipFiniteCheck leaves out the scan for NaN and infinities, which reads
	// every weight once.
	SkipFiniteCheck bool
	// IgnoreUnused accepts a checkpoint with tensors that the model does not use,
	// such as a head of another kind. Rotary tables of old checkpoints, and a copy
	// of a tied head, are always accepted.
	IgnoreUnused bool
}

// Loader hands a family its parameters and collects what is wrong with them, so
// that one error reports everything.
type Loader struct {
	src     Source
	config  *Config
	opt     LoadOptions
	have    map[string]bool
	used    map[string]bool
	params  []*tensor.Param
	linears []*nn.Linear
	norms   []*nn.Norm
	errs    []error
}

// NewLoader returns a loader of the parameters of a model with configuration c.
func NewLoader(c *Config, src Source, o LoadOptions) *Loader {
	l := &Loader{src: src, config: c, opt: o, have: map[string]bool{}, used: map[string]bool{}}
	for _, n := range src.Names() {
		l.have[n] = true
	}
	return l
}

// Has says whether the checkpoint holds a tensor.
func (l *Loader) Has(name string) bool { return l.have[name] }

// Matrix loads a weight matrix of the given shape.
func (l *Loader) Matrix(name string, rows, cols int) *tensor.Param {
	return l.load(name, l.opt.Weights, rows, cols)
}

// Vector loads a vector of n elements.
func (l *Loader) Vector(name string, n int) *tensor.Param {
	dt := tensor.Float32
	if l.opt.Weights == tensor.Float64 {
		dt = tensor.Float64
	}
	return l.load(name, dt, n)
}

// RMSNorm loads the norm at a module path, with the configuration's ε and offset.
func (l *Loader) RMSNorm(path string, n int) *nn.Norm {
	norm := &nn.Norm{Path: path, Weight: l.Vector(path+".weight", n), Eps: l.config.RMSNormEps, Offset: l.config.NormOffset}
	l.norms = append(l.norms, norm)
	return norm
}

// LayerNorm loads the norm with mean and bias at a module path.
func (l *Loader) LayerNorm(path string, n int) *nn.Norm {
	norm := &nn.Norm{Path: path, Weight: l.Vector(path+".weight", n), Bias: l.Vector(path+".bias", n), Eps: l.config.RMSNormEps, Centred: true}
	l.norms = append(l.norms, norm)
	return norm
}

// Conv1D loads a linear layer with a bias whose weight is stored (in, out).
func (l *Loader) Conv1D(path string, in, out int) *nn.Linear {
	lin := &nn.Linear{Path: path, Weight: l.Matrix(path+".weight", in, out), Bias: l.Vector(path+".bias", out), Transposed: true}
	l.linears = append(l.linears, lin)
	return lin
}

// Ignore accepts a tensor that the model does not need, such as a causal mask of
// an old checkpoint.
func (l *Loader) Ignore(names ...string) {
	for _, n := range names {
		l.used[n] = true
	}
}

// Fail adds an error to what is reported, about the configuration for example.
func (l *Loader) Fail(err error) { l.errs = append(l.errs, err) }

// Linear loads the linear layer at a module path. The bias is required when the
// configuration says so, and must be absent otherwise.
func (l *Loader) Linear(path string, in, out int, bias bool) *nn.Linear {
	lin := &nn.Linear{Path: path, Weight: l.Matrix(path+".weight", out, in)}
	switch {
	case bias:
		lin.Bias = l.Vector(path+".bias", out)
	case l.have[path+".bias"]:
		l.errs = append(l.errs, fmt.Errorf("%w: %s.bias is in the checkpoint but the configuration has no bias there", ErrBadWeight, path))
	}
	l.linears = append(l.linears, lin)
	return lin
}

// Err reports everything that went wrong so far, or nil.
func (l *Loader) Err() error { return errors.Join(l.errs...) }

// finish reports everything that went wrong, and tensors nobody asked for. A copy
// of a tied head, named head, is accepted.
func (l *Loader) finish(head string) error {
	if err := l.Err(); err != nil || l.opt.IgnoreUnused {
		return err
	}
	for _, n := range l.src.Names() {
		tied := n == head && l.config.TieWordEmbeddings
		if !l.used[n] && !tied && !strings.HasSuffix(n, ".rotary_emb.inv_freq") {
			l.errs = append(l.errs, fmt.Errorf("%w: %s", ErrUnusedWeight, n))
		}
	}
	return l.Err()
}

// load reads one parameter; on failure it returns a stand-in, because the caller
// goes on to collect more errors and drops the result.
func (l *Loader) load(name string, dt tensor.Dtype, shape ...int) *tensor.Param {
	p, err := l.read(name, dt, shape)
	if err != nil {
		l.errs = append(l.errs, err)
		stand, _ := tensor.NewParam(name, []float32{0}, 1)
		return stand
	}
	l.params = append(l.params, p)
	return p
}

func (l *Loader) read(name string, dt tensor.Dtype, shape []int) (*tensor.Param, error) {
	l.used[name] = true
	p, err := l.find(name, shape)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(p.Shape(), shape) {
		return nil, fmt.Errorf("%w: %s has shape %v, want %v", ErrBadWeight, name, p.Shape(), shape)
	}
	if !l.opt.SkipFiniteCheck {
		if err := CheckFinite(p); err != nil {
			return nil, err
		}
	}
	if dt != (tensor.Dtype{}) && p.Dtype() != dt {
		return p.Convert(dt)
	}
	return p, nil
}

// find asks the source for a weight, as it is stored.
func (l *Loader) find(name string, shape []int) (*tensor.Param, error) {
	if l.have[name] {
		return l.src.Param(name)
	}
	if m, ok := l.src.(Maker); ok {
		return m.Make(l.config, name, shape...)
	}
	return nil, fmt.Errorf("%w: %s, want shape %v", ErrMissingWeight, name, shape)
}
