package dpo_test

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor"
)

// Tolerances of the loss fixtures (README of oracle/trainers, §1), relative to
// the largest number compared.
const (
	loss64Tol = 1e-12
	loss32Tol = 1e-5
	// lossFloor is the fixture's own floor of a relative distance: losses of
	// 1e-61 have no digits.
	lossFloor = 1e-6
	// grad32Factor is for gradients in float32, which the fixture's own float32
	// run has within 3e-5.
	grad32Factor = 3
	// accuracyTol is for accuracies, which the fixture has in float32.
	accuracyTol = 1e-7
	// tieTol, in nats: log-ratios nearer than this are equal but for rounding, and
	// either may be the larger one (the extreme cases have such ties).
	tieTol = 1e-9
)

// array is a tensor of a fixture; dpo has no special values.
type array struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

// lossParams are the trainer's options of a case.
type lossParams struct {
	Beta       float64         `json:"beta"`
	Smoothing  float64         `json:"label_smoothing"`
	Divergence string          `json:"f_divergence_type"`
	Alpha      float64         `json:"f_alpha_divergence_coef"`
	LDAlpha    *float64        `json:"ld_alpha"`
	Weighting  bool            `json:"use_weighting"`
	Tau        float64         `json:"discopop_tau"`
	Weights    []float64       `json:"loss_weights"`
	LossType   json.RawMessage `json:"loss_type"`
}

// lossCase is a case of losses/dpo.json.gz.
type lossCase struct {
	ID      string           `json:"id"`
	Params  lossParams       `json:"params"`
	Inputs  map[string]array `json:"inputs"`
	Outputs struct {
		Loss       float64            `json:"loss"`
		PerExample *array             `json:"per_example"`
		Grads      map[string]array   `json:"grads"`
		Extra      map[string]array   `json:"extra"`
		Metrics    map[string]float64 `json:"metrics"`
	} `json:"outputs"`
	Float32 struct {
		Fragile bool `json:"fragile"`
	} `json:"float32_run"`
}

// losses are the losses by TRL's names.
func (p lossParams) losses() map[string]dpo.Loss {
	return map[string]dpo.Loss{
		"sigmoid": dpo.Sigmoid{}, "hinge": dpo.Hinge{}, "ipo": dpo.IPO{}, "exo_pair": dpo.EXO{LabelSmoothing: p.Smoothing},
		"nca_pair": dpo.NCA{}, "robust": dpo.Robust{LabelSmoothing: p.Smoothing}, "bco_pair": dpo.BCOPair{}, "sppo_hard": dpo.SPPO{},
		"aot": dpo.AOT{LabelSmoothing: p.Smoothing}, "aot_unpaired": dpo.AOTUnpaired{LabelSmoothing: p.Smoothing},
		"apo_zero": dpo.APOZero{}, "apo_down": dpo.APODown{}, "discopop": dpo.DiscoPOP{Temperature: p.Tau}, "sft": dpo.NLL{},
		"sigmoid_norm": dpo.SigmoidNorm{},
	}
}

// loss is the loss of a case, and whether it is the supervised term alone.
func (p lossParams) loss(t *testing.T) dpo.Loss {
	t.Helper()
	var names []string
	if json.Unmarshal(p.LossType, &names) != nil {
		names = []string{""}
		require.NoError(t, json.Unmarshal(p.LossType, &names[0]))
	}
	var sum dpo.Sum
	for i, name := range names {
		l := p.losses()[name]
		require.NotNil(t, l, name)
		require.Equal(t, name, l.Name())
		if p.Weighting {
			l = dpo.WPO{Of: l}
		}
		w := 1.0
		if p.Weights != nil {
			w = p.Weights[i]
		}
		sum = append(sum, dpo.Weighted{Loss: l, Weight: w})
	}
	if len(sum) == 1 {
		return sum[0].Loss
	}
	return sum
}

func (p lossParams) divergence() dpo.Divergence {
	return map[string]dpo.Divergence{
		"reverse_kl": dpo.ReverseKL{}, "forward_kl": dpo.ForwardKL{}, "js_divergence": dpo.JensenShannon{}, "alpha_divergence": dpo.Alpha{Coef: p.Alpha},
	}[p.Divergence]
}

func TestOracleLosses(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/losses") {
		var file struct {
			Cases []lossCase `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "dpo.json.gz"), &file)
		for i := range file.Cases {
			c := &file.Cases[i]
			t.Run(c.ID, func(t *testing.T) {
				c.widenSmoothing(t)
				compareLoss[float64](t, c, loss64Tol)
				if !c.Float32.Fragile && !c.tied() {
					compareLoss[float32](t, c, loss32Tol)
				}
				tally.Compared(1)
			})
		}
	}
}

// widenSmoothing makes up for TRL's EXO taking the logarithms of ε and 1−ε in
// float32, also in the fixture's float64 run: what that changes, about 1e-8, is
// added to the numbers that are wanted.
func (c *lossCase) widenSmoothing(t *testing.T) {
	if string(c.Params.LossType) != `"exo_pair"` {
		return
	}
	eps := c.Params.Smoothing
	narrow := float64(float32(eps))
	right := float64(float32(math.Log1p(-narrow))) - math.Log(1-eps)
	wrong := float64(float32(math.Log(narrow))) - math.Log(eps)
	require.Less(t, math.Abs(right)+math.Abs(wrong), 1e-6)
	s := layOut[float64](c)
	chosen, rejected := c.Outputs.Extra["chosen_scores"].Data, c.Outputs.Extra["rejected_scores"].Data
	grads := c.Outputs.Grads["policy_logps"].Data
	for i := range chosen {
		q := 1 / (1 + math.Exp(-c.Params.Beta*(chosen[i]-rejected[i])))
		more := q*right + (1-q)*wrong
		c.Outputs.PerExample.Data[i] += more
		c.Outputs.Loss += more / float64(len(chosen))
		slope := q * (1 - q) * (right - wrong) * c.Params.Beta / float64(len(chosen))
		for side, segment := range [...]int32{s.chosen[i], s.rejected[i]} {
			for at := int(s.ends[segment]) - int(s.length(segment)); at < int(s.ends[segment]); at++ {
				grads[s.at[at]] += slope * float64(1-2*side)
			}
		}
	}
}

// tied says that a case sorts numbers that are equal but for rounding, so that
// float32 may well put them in another order.
func (c *lossCase) tied() bool {
	if !strings.Contains(string(c.Params.LossType), "aot") {
		return false
	}
	for _, name := range []string{"chosen_scores", "rejected_scores"} {
		x := slices.Sorted(slices.Values(c.Outputs.Extra[name].Data))
		for i := 1; i < len(x); i++ {
			if x[i]-x[i-1] < tieTol {
				return true
			}
		}
	}
	return false
}

// scored is a case as a program over its completion tokens.
type scored[T tensor.Float] struct {
	at                   []int // place of each token in the fixture's arrays
	ends                 []int32
	chosen, rejected     []int32
	policy               *tensor.Param
	run                  *tensor.Program
	loss, ratioC, ratioR *tensor.Node
	sumC, sumR           *tensor.Node
}

func compareLoss[T tensor.Float](t *testing.T, c *lossCase, tol float64) {
	s := layOut[T](c)
	s.build(t, c)
	require.NoError(t, s.run.Run())
	pairs := float64(len(s.chosen))
	losses := values[T](t, s.run, s.loss)
	mean := 0.0
	for _, v := range losses {
		mean += v / pairs
	}
	near(t, []float64{c.Outputs.Loss}, []float64{mean}, tol, "loss")
	// TRL's sft is one number for the batch, written once a pair.
	if c.Outputs.PerExample != nil && string(c.Params.LossType) != `"sft"` {
		near(t, c.Outputs.PerExample.Data, losses, tol, "losses")
	}
	want := c.Outputs.Grads["policy_logps"].Data
	got := make([]float64, len(want))
	for i, v := range gradient[T](s.policy) {
		got[s.at[i]] = v
	}
	if tol == loss32Tol {
		tol *= grad32Factor
	}
	near(t, want, got, tol, "gradient")
	s.compareMetrics(t, c, tol)
}

func layOut[T tensor.Float](c *lossCase) *scored[T] {
	s := &scored[T]{}
	mask := c.Inputs["completion_mask"]
	rows, width := mask.Shape[0], mask.Shape[1]
	for row := range rows {
		for i := 1; i < width; i++ {
			if mask.Data[row*width+i] != 0 {
				s.at = append(s.at, row*(width-1)+i-1)
			}
		}
		s.ends = append(s.ends, int32(len(s.at)))
	}
	for i := range rows / 2 {
		s.chosen, s.rejected = append(s.chosen, int32(i)), append(s.rejected, int32(i+rows/2))
	}
	return s
}

// pick takes the completion tokens out of an input of the fixture.
func (s *scored[T]) pick(c *lossCase, name string) []T {
	out := make([]T, len(s.at))
	for i, at := range s.at {
		out[i] = T(c.Inputs[name].Data[at])
	}
	return out
}

// counts are the lengths of answers, at least 1.
func (s *scored[T]) counts(segments []int32) []T {
	out := make([]T, len(segments))
	for i, seg := range segments {
		out[i] = T(max(1, s.length(seg)))
	}
	return out
}

func (s *scored[T]) length(segment int32) int32 {
	if segment == 0 {
		return s.ends[0]
	}
	return s.ends[segment] - s.ends[segment-1]
}

func (s *scored[T]) build(t *testing.T, c *lossCase) {
	policy := s.pick(c, "policy_logps")
	var err error
	s.policy, err = tensor.NewParam("policy", policy, len(policy))
	require.NoError(t, err)
	require.NoError(t, s.policy.SetTrainable(true))
	alpha := 1.0
	if c.Params.LDAlpha != nil {
		alpha = *c.Params.LDAlpha
	}
	chosenTokens := T(s.ends[len(s.chosen)-1])
	floats := map[string][]T{
		"reference": s.pick(c, "ref_logps"), "squares": s.pick(c, "log_sum_sq_probs"), "chosen_tokens": s.counts(s.chosen), "rejected_tokens": s.counts(s.rejected),
		"mean": {chosenTokens / T(len(s.chosen))}, "seed": {1 / T(len(s.chosen))},
	}
	for _, w := range dpo.TailWeights(s.ends, s.chosen, s.rejected, alpha) {
		floats["tail"] = append(floats["tail"], T(w))
	}
	ints := map[string][]int32{"ends": s.ends, "chosen": s.chosen, "rejected": s.rejected}
	nodes := map[string]*tensor.Node{}
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		for _, name := range []string{"reference", "squares", "chosen_tokens", "rejected_tokens", "mean", "seed", "tail"} {
			nodes[name] = tensor.Input(g, s.policy.Dtype(), name, len(floats[name]))
		}
		for _, name := range []string{"ends", "chosen", "rejected"} {
			nodes[name] = tensor.Input(g, tensor.Int32, name, len(ints[name]))
		}
		in := dpo.TokenNodes{
			LogProb: s.policy.Node(g), Reference: nodes["reference"], LogSumSquares: nodes["squares"], Tail: nodes["tail"],
			Ends: nodes["ends"], Chosen: nodes["chosen"], Rejected: nodes["rejected"],
			ChosenTokens: nodes["chosen_tokens"], RejectedTokens: nodes["rejected_tokens"], MeanChosenTokensNode: nodes["mean"],
		}.LogProbs(c.Params.Beta, c.Params.divergence())
		terms := c.Params.loss(t).Build(g, in)
		s.loss = terms.Loss
		if terms.Weight != nil {
			s.loss = tensor.Mul(s.loss, terms.Weight)
		}
		s.ratioC, s.ratioR, s.sumC, s.sumR = in.ChosenRatio, in.RejectedRatio, in.Chosen, in.Rejected
		for _, part := range tensor.Gradients(tensor.Nodes{tensor.Sum(s.loss)}, tensor.Nodes{nodes["seed"]}, tensor.Nodes{s.policy.Node(g)})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: s.policy})
		}
	})
	require.NoError(t, err)
	s.run, err = tensor.Compile(g, tensor.Nodes{s.loss, s.ratioC, s.ratioR, s.sumC, s.sumR}, tensor.CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	for name, v := range floats {
		require.NoError(t, tensor.Bind(s.run, nodes[name], v))
	}
	for name, v := range ints {
		require.NoError(t, tensor.Bind(s.run, nodes[name], v))
	}
}

// compareMetrics checks the sums that the trainer logs.
func (s *scored[T]) compareMetrics(t *testing.T, c *lossCase, tol float64) {
	ratioC, ratioR := values[T](t, s.run, s.ratioC), values[T](t, s.run, s.ratioR)
	sumC, sumR := values[T](t, s.run, s.sumC), values[T](t, s.run, s.sumR)
	if c.Params.Divergence == "reverse_kl" {
		near(t, c.Outputs.Extra["chosen_scores"].Data, ratioC, tol, "chosen log-ratios")
		near(t, c.Outputs.Extra["rejected_scores"].Data, ratioR, tol, "rejected log-ratios")
	}
	near(t, c.Outputs.Extra["chosen_logps"].Data, sumC, tol, "chosen log-probabilities")
	near(t, c.Outputs.Extra["rejected_logps"].Data, sumR, tol, "rejected log-probabilities")
	n, least, most := float64(len(ratioC)), 0.0, 0.0
	for i := range ratioC {
		if ratioC[i] > ratioR[i]+tieTol {
			least += 1 / n
		}
		if ratioC[i] > ratioR[i]-tieTol {
			most += 1 / n
		}
	}
	m := c.Outputs.Metrics
	if c.ID == "dpo-074-policy-equals-reference" {
		most = 0 // exact ties count as wrong
		require.Zero(t, average(ratioC)-average(ratioR))
	}
	if tol == loss64Tol { // in float32 ties are wider
		require.GreaterOrEqual(t, m["rewards/accuracies"], least-accuracyTol)
		require.LessOrEqual(t, m["rewards/accuracies"], most+accuracyTol)
	}
	size := math.Max(math.Abs(m["rewards/chosen"]), math.Abs(m["rewards/rejected"]))
	require.InDelta(t, m["rewards/chosen"], c.Params.Beta*average(ratioC), tol*math.Max(1, size), "rewards/chosen")
	require.InDelta(t, m["rewards/rejected"], c.Params.Beta*average(ratioR), tol*math.Max(1, size), "rewards/rejected")
}

func average(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v / float64(len(x))
	}
	return sum
}

// values reads an output in float64.
func values[T tensor.Float](t *testing.T, run *tensor.Program, n *tensor.Node) []float64 {
	t.Helper()
	v, err := tensor.Values[T](run, n)
	require.NoError(t, err)
	out := make([]float64, len(v))
	for i := range v {
		out[i] = float64(v[i])
	}
	return out
}

// gradient is a parameter's accumulator in float64.
func gradient[T tensor.Float](p *tensor.Param) []float64 {
	if g := p.Grad64(); g != nil {
		return g
	}
	out := make([]float64, p.Len())
	for i, v := range p.Grad() {
		out[i] = float64(v)
	}
	return out
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
