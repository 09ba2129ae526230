package losstest

import (
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/tensor"
)

// Outcome is what an objective makes of a batch.
type Outcome struct {
	Loss, Policy []float64          // of each row, as rlhf.Total has them
	Grad         []float64          // of Σ Loss / Denominator, for each log-probability
	Metrics      map[string]float64 // as a trainer logs them
}

// Evaluate runs an objective over a batch in the precision T.
func Evaluate[T tensor.Float](o rlhf.Objective, b Batch) (Outcome, error) {
	return evaluate[T](o, b, 0)
}

// junk stands in slots that must not count.
const junk = -1e6

// program is an objective over inputs with room for more than there is.
type program[T tensor.Float] struct {
	g      *tensor.Graph
	dt     tensor.Dtype
	room   int
	floats map[*tensor.Node][]float64
	ints   map[*tensor.Node][]int32
}

// float declares an input along an axis; nil stays nil.
func (p *program[T]) float(axis *tensor.Axis, name string, v []float64) *tensor.Node {
	if v == nil {
		return nil
	}
	n := tensor.Input(p.g, p.dt, name, len(v)+p.spare(axis))
	p.floats[n] = v
	return along(axis, n)
}

func (p *program[T]) integer(axis *tensor.Axis, name string, v []int32) *tensor.Node {
	if v == nil {
		return nil
	}
	n := tensor.Input(p.g, tensor.Int32, name, len(v)+p.spare(axis))
	p.ints[n] = v
	return along(axis, n)
}

func (p *program[T]) spare(axis *tensor.Axis) int {
	if axis == nil {
		return 0
	}
	return p.room
}

func along(axis *tensor.Axis, n *tensor.Node) *tensor.Node {
	if axis != nil {
		axis.Inputs = append(axis.Inputs, n)
	}
	return n
}

// evaluate is Evaluate with empty slots behind tokens, rows and groups.
func evaluate[T tensor.Float](o rlhf.Objective, b Batch, room int) (Outcome, error) {
	x := narrow[T](b.LogProb)
	for range room {
		x = append(x, junk)
	}
	logProb, err := tensor.NewParam("log_prob", x, len(x))
	if err != nil {
		return Outcome{}, err
	}
	if err := logProb.SetTrainable(true); err != nil {
		return Outcome{}, err
	}
	p := &program[T]{dt: logProb.Dtype(), room: room, floats: map[*tensor.Node][]float64{}, ints: map[*tensor.Node][]int32{}}
	axes := []tensor.Axis{{Name: "tokens"}, {Name: "rows"}, {Name: "groups"}}
	var out rlhf.Total
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		p.g = g
		out = o.Build(g, p.inputs(b, logProb, axes))
		seed := p.float(nil, "seed", []float64{1 / b.Denominator})
		for _, part := range tensor.Gradients(tensor.Nodes{tensor.Sum(out.Loss)}, tensor.Nodes{seed}, tensor.Nodes{logProb.Node(g)})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: logProb})
		}
	})
	if err != nil {
		return Outcome{}, err
	}
	outs := tensor.Nodes{out.Loss, out.Policy}
	for _, m := range out.Metrics {
		outs = append(outs, m.Value)
	}
	if b.Groups == nil {
		axes = axes[:2]
	}
	run, err := tensor.Compile(g, outs, tensor.CompileOptions{Accumulate: acc, Axes: axes})
	if err != nil {
		return Outcome{}, err
	}
	if err := p.run(run, b); err != nil {
		return Outcome{}, err
	}
	return collect[T](run, out, b, logProb)
}

// inputs are the batch's tokens; those that it does not have are nil.
func (p *program[T]) inputs(b Batch, logProb *tensor.Param, axes []tensor.Axis) rlhf.Tokens {
	tokens, rows, groups := &axes[0], &axes[1], &axes[2]
	order := make([]int32, len(b.LogProb))
	for i := range order {
		order[i] = int32(i)
	}
	in := rlhf.Tokens{
		LogProb: tensor.Gather(logProb.Node(p.g), p.integer(tokens, "order", order)),
		Old:     p.float(tokens, "old", b.Old), Ref: p.float(tokens, "ref", b.Ref), Sampler: p.float(tokens, "sampler", b.Sampler),
		Advantage: p.float(tokens, "advantage", b.advantages()), RowAdvantage: p.float(rows, "row_advantage", b.RowAdvantage),
		Mask: p.float(tokens, "mask", b.Mask), Keep: p.float(tokens, "keep", b.Keep), Taught: p.float(tokens, "taught", b.Taught),
		Weight: p.float(tokens, "weight", b.Weight), RowWeight: p.float(rows, "row_weight", b.RowWeight), Entropy: p.float(tokens, "entropy", b.Entropy),
		Ends: p.integer(rows, "ends", b.ends()), Row: p.integer(tokens, "row", b.row()), Lengths: p.float(rows, "lengths", b.Lengths()),
		GroupLengths: p.float(rows, "group_lengths", b.groupLengths()),
		GroupEnds:    p.integer(groups, "group_ends", b.Groups), Group: p.integer(rows, "group", b.group()),
	}
	if b.EntropyCoef != 0 {
		in.EntropyCoef = p.float(nil, "entropy_coef", []float64{b.EntropyCoef})
	}
	return in
}

// run binds what there is and runs.
func (p *program[T]) run(run *tensor.Program, b Batch) error {
	live := map[string]int{"tokens": len(b.LogProb), "rows": b.Rows, "groups": len(b.Groups)}
	if b.Groups == nil {
		delete(live, "groups")
	}
	for name, n := range live {
		if err := run.SetLive(name, n); err != nil {
			return err
		}
	}
	for n, v := range p.floats {
		if err := tensor.Bind(run, n, narrow[T](v)); err != nil {
			return err
		}
	}
	for n, v := range p.ints {
		if err := tensor.Bind(run, n, v); err != nil {
			return err
		}
	}
	return run.Run()
}

// collect reads what the program computed.
func collect[T tensor.Float](run *tensor.Program, out rlhf.Total, b Batch, logProb *tensor.Param) (Outcome, error) {
	var res Outcome
	var err error
	if res.Loss, err = values[T](run, out.Loss); err != nil {
		return res, err
	}
	if res.Policy, err = values[T](run, out.Policy); err != nil {
		return res, err
	}
	res.Metrics = map[string]float64{}
	for _, m := range out.Metrics {
		v, err := values[T](run, m.Value)
		if err != nil {
			return res, err
		}
		res.Metrics[m.Name] = b.reduce(m, v)
	}
	res.Grad = logProb.Grad64()
	if res.Grad == nil {
		res.Grad = wide(logProb.Grad())
	}
	res.Grad = res.Grad[:len(b.LogProb)]
	return res, nil
}

func values[T tensor.Float](run *tensor.Program, n *tensor.Node) ([]float64, error) {
	v, err := tensor.Values[T](run, n)
	return wide(v), err
}

func narrow[T tensor.Float](v []float64) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}

func wide[T tensor.Float](v []T) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}
