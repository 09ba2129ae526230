package unpaired_test

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor"
)

// Tolerances of the loss fixtures (README of oracle/trainers, §1), relative to
// the largest number compared.
const (
	loss64Tol = 1e-12
	loss32Tol = 1e-5
	// lossFloor is the fixture's own floor of a relative distance.
	lossFloor = 1e-6
	// grad32Factor is for gradients in float32, a product of more factors.
	grad32Factor = 3
)

// array is a tensor of a fixture.
type array struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

// lossCase is a case of losses/kto.json.gz and bco.json.gz.
type lossCase struct {
	ID     string `json:"id"`
	Params struct {
		Beta        float64 `json:"beta"`
		Desirable   float64 `json:"desirable_weight"`
		Undesirable float64 `json:"undesirable_weight"`
		LossType    string  `json:"loss_type"`
		UDM         bool    `json:"udm"`
		Min         float64 `json:"min_density_ratio"`
		Max         float64 `json:"max_density_ratio"`
	} `json:"params"`
	Inputs  map[string]array `json:"inputs"`
	Outputs struct {
		Loss       float64          `json:"loss"`
		PerExample array            `json:"per_example"`
		Grads      map[string]array `json:"grads"`
		Extra      map[string]array `json:"extra"`
		Metrics    json.RawMessage  `json:"metrics"`
	} `json:"outputs"`
	Float32 struct {
		Fragile bool `json:"fragile"`
	} `json:"float32_run"`
}

func cases(t *testing.T, root, family string) []lossCase {
	var file struct {
		Cases []lossCase `json:"cases"`
	}
	oracle.ReadJSON(t, filepath.Join(root, family+".json.gz"), &file)
	return file.Cases
}

// problem is one batch as a loss sees it; answers are segments of tokens.
type problem struct {
	policy, reference []float64 // per token
	ends              []int32
	desirable         []float64
	likeness          []float64
	baseline          float64
	beta              float64
}

// result is what a loss makes of it.
type result struct{ losses, ratios, sums, grads []float64 }

// evaluate runs a loss in the precision T with the seed 1/R.
func evaluate[T tensor.Float](t *testing.T, l unpaired.Loss, p problem) result {
	t.Helper()
	policy, err := tensor.NewParam("policy", narrow[T](p.policy), len(p.policy))
	require.NoError(t, err)
	require.NoError(t, policy.SetTrainable(true))
	rows := len(p.ends)
	floats := map[string][]T{
		"reference": narrow[T](p.reference), "desirable": narrow[T](p.desirable), "likeness": narrow[T](p.likeness),
		"baseline": {T(p.baseline)}, "seed": {1 / T(rows)},
	}
	nodes := map[string]*tensor.Node{}
	var ends, loss, weighted *tensor.Node
	var in unpaired.LogProbs
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		for name, v := range floats {
			nodes[name] = tensor.Input(g, policy.Dtype(), name, len(v))
		}
		ends = tensor.Input(g, tensor.Int32, "ends", rows)
		x := policy.Node(g)
		in = unpaired.LogProbs{
			LogProb: tensor.SegmentSum(x, ends), Ratio: tensor.SegmentSum(tensor.Sub(x, nodes["reference"]), ends),
			Desirable: nodes["desirable"], Likeness: nodes["likeness"], KL: nodes["baseline"], Delta: nodes["baseline"], Beta: p.beta,
		}
		terms := l.Build(g, in)
		loss = terms.Loss
		weighted = loss
		if terms.Weight != nil {
			weighted = tensor.Mul(loss, terms.Weight)
		}
		for _, part := range tensor.Gradients(tensor.Nodes{tensor.Sum(weighted)}, tensor.Nodes{nodes["seed"]}, tensor.Nodes{x})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: policy})
		}
	})
	require.NoError(t, err)
	run, err := tensor.Compile(g, tensor.Nodes{weighted, in.Ratio, in.LogProb}, tensor.CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	for name, v := range floats {
		require.NoError(t, tensor.Bind(run, nodes[name], v))
	}
	require.NoError(t, tensor.Bind(run, ends, p.ends))
	require.NoError(t, run.Run())
	grads := policy.Grad64()
	if grads == nil {
		grads = wide(policy.Grad())
	}
	return result{values[T](t, run, weighted), values[T](t, run, in.Ratio), values[T](t, run, in.LogProb), grads}
}

func TestOracleKTO(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/losses") {
		for _, c := range cases(t, root, "kto") {
			t.Run(c.ID, func(t *testing.T) {
				compareKTO[float64](t, &c, loss64Tol)
				if !c.Float32.Fragile {
					compareKTO[float32](t, &c, loss32Tol)
				}
				tally.Compared(1)
			})
		}
	}
}

// tokens takes the completion tokens out of an input of the fixture, and says where
// they stood and where each row ends.
func (c *lossCase) tokens(prefix, name string) (v []float64, at []int, ends []int32) {
	mask := c.Inputs[prefix+"completion_mask"]
	width := mask.Shape[1]
	for row := range mask.Shape[0] {
		for i := 1; i < width; i++ {
			if k := row*(width-1) + i - 1; mask.Data[row*width+i] != 0 {
				v, at = append(v, c.Inputs[prefix+name].Data[k]), append(at, k)
			}
		}
		ends = append(ends, int32(len(v)))
	}
	return v, at, ends
}

func compareKTO[T tensor.Float](t *testing.T, c *lossCase, tol float64) {
	p := problem{beta: c.Params.Beta, desirable: c.Inputs["label"].Data, likeness: c.Inputs["label"].Data}
	var at []int
	p.policy, at, p.ends = c.tokens("", "policy_logps")
	p.reference, _, _ = c.tokens("", "ref_logps")
	ours, _, _ := c.tokens("KL_", "policy_logps")
	theirs, _, _ := c.tokens("KL_", "ref_logps")
	for i := range ours {
		p.baseline += (ours[i] - theirs[i]) / float64(len(p.ends))
	}
	p.baseline = math.Max(0, p.baseline)
	var l unpaired.Loss = unpaired.APOZero{DesirableWeight: c.Params.Desirable, UndesirableWeight: c.Params.Undesirable}
	var metrics map[string]float64
	require.NoError(t, json.Unmarshal(c.Outputs.Metrics, &metrics))
	if c.Params.LossType == "kto" {
		l = unpaired.KTO{DesirableWeight: c.Params.Desirable, UndesirableWeight: c.Params.Undesirable}
		near(t, c.Outputs.Extra["kl"].Data, []float64{p.baseline}, tol, "kl")
		near(t, []float64{metrics["kl"]}, []float64{p.baseline}, tol, "kl")
	}
	got := evaluate[T](t, l, p)
	near(t, []float64{c.Outputs.Loss}, []float64{average(got.losses)}, tol, "loss")
	near(t, c.Outputs.PerExample.Data, desirableFirst(got.losses, p.desirable), tol, "losses")
	if tol == loss32Tol {
		tol *= grad32Factor
	}
	grads := make([]float64, len(c.Outputs.Grads["policy_logps"].Data))
	for i, v := range got.grads {
		grads[at[i]] = v
	}
	near(t, c.Outputs.Grads["policy_logps"].Data, grads, tol, "gradient")
	compareClasses(t, metrics, got, p, tol)
}

// compareClasses checks the means over desirable and over other rows.
func compareClasses(t *testing.T, want map[string]float64, got result, p problem, tol float64) {
	for side, class := range []string{"chosen", "rejected"} {
		var rewards, sums []float64
		for i, d := range p.desirable {
			if d == float64(1-side) {
				rewards, sums = append(rewards, p.beta*got.ratios[i]), append(sums, got.sums[i])
			}
		}
		_, there := want["rewards/"+class]
		require.Equal(t, there, len(rewards) > 0)
		if there {
			nearMean(t, want["rewards/"+class], rewards, tol, "rewards/"+class)
			nearMean(t, want["logps/"+class], sums, tol, "logps/"+class)
		}
	}
}

func TestOracleBCO(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/losses") {
		for _, c := range cases(t, root, "bco") {
			t.Run(c.ID, func(t *testing.T) {
				compareBCO[float64](t, &c, loss64Tol)
				if !c.Float32.Fragile {
					compareBCO[float32](t, &c, loss32Tol)
				}
				tally.Compared(1)
			})
		}
	}
}

// compareBCO feeds the batches of a case one after the other.
func compareBCO[T tensor.Float](t *testing.T, c *lossCase, tol float64) {
	var l unpaired.BCO
	if c.Params.UDM {
		l.Density = &unpaired.DensityRatio{Min: c.Params.Min, Max: c.Params.Max}
	}
	var metrics struct {
		PerBatch []map[string]float64 `json:"per_batch"`
	}
	require.NoError(t, json.Unmarshal(c.Outputs.Metrics, &metrics))
	var running unpaired.Mean
	var all []float64
	for j := range metrics.PerBatch {
		name := func(s string) string { return s + "_" + strconv.Itoa(j) }
		p := problem{beta: c.Params.Beta, policy: c.Inputs[name("policy_logps")].Data, reference: c.Inputs[name("ref_logps")].Data,
			desirable: c.Inputs[name("label")].Data, likeness: c.Inputs[name("prob_desirable")].Data}
		rewards := make([]float64, len(p.policy))
		for i := range p.policy {
			p.ends = append(p.ends, int32(i+1))
			rewards[i] = p.beta * (p.policy[i] - p.reference[i])
		}
		running.Add(rewards)
		p.baseline = float64(float32(running.Value())) // TRL makes a float32 tensor of it
		near(t, c.Outputs.Extra["delta"].Data[j:j+1], []float64{p.baseline}, tol, "delta")
		got := evaluate[T](t, l, p)
		near(t, c.Outputs.Extra["batch_loss"].Data[j:j+1], []float64{average(got.losses)}, tol, "loss")
		all = append(all, desirableFirst(got.losses, p.desirable)...)
		near(t, c.Outputs.Grads[name("policy_logps")].Data, got.grads, tol*grad32Factor, "gradient")
		terms, n := make([]float64, len(got.ratios)), float64(len(got.ratios))
		for i, r := range got.ratios {
			terms[i] = p.beta * r * p.desirable[i]
		}
		nearMean(t, metrics.PerBatch[j]["rewards/chosen_sum"]/n, terms, tol*grad32Factor, "rewards/chosen")
	}
	near(t, c.Outputs.PerExample.Data, all, tol, "losses")
}

// desirableFirst is the order of the fixtures: desirable rows, then the others.
func desirableFirst(x, desirable []float64) []float64 {
	var good, bad []float64
	for i, v := range x {
		if desirable[i] == 1 {
			good = append(good, v)
		} else {
			bad = append(bad, v)
		}
	}
	return append(good, bad...)
}

func average(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v / float64(len(x))
	}
	return sum
}

// nearMean compares a mean relative to the largest of its terms, which may cancel.
func nearMean(t *testing.T, want float64, terms []float64, tol float64, what string) {
	t.Helper()
	size := lossFloor
	for _, v := range terms {
		size = math.Max(size, math.Abs(v))
	}
	require.InDelta(t, want, average(terms), tol*size, what)
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

// values reads an output in float64.
func values[T tensor.Float](t *testing.T, run *tensor.Program, n *tensor.Node) []float64 {
	t.Helper()
	v, err := tensor.Values[T](run, n)
	require.NoError(t, err)
	return wide(v)
}

// near compares lists relative to the largest number wanted, or to lossFloor.
func near(t *testing.T, want, got []float64, tol float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	size := lossFloor
	for _, v := range want {
		size = math.Max(size, math.Abs(v))
	}
	for i := range want {
		require.LessOrEqual(t, math.Abs(got[i]-want[i]), tol*size, fmt.Sprintf("%s: element %d: got %v, want %v", what, i, got[i], want[i]))
	}
}
