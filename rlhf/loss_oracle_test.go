package rlhf_test

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/losstest"
	"github.com/posttrain/posttrain/tensor"
)

// Tolerances of the loss fixtures (README of oracle/trainers, §1), relative to the
// largest number compared.
const (
	loss64Tol = 1e-12
	loss32Tol = 1e-5
	// lossFloor is the fixture's own floor of a relative distance.
	lossFloor = 1e-6
	// extreme32Tol is for ratios of e^50, which the fixture's own float32 run has within
	// 6e-5: a log-ratio of 50 has an error of 2e-6, the ratio fifty times the rounding.
	extreme32Tol = 1e-4
	// shareTol is for clip fractions, which TRL computes in float32.
	shareTol = 1e-6
)

// lossParams are TRL's options of a case.
type lossParams struct {
	LossType     string   `json:"loss_type"`
	Level        string   `json:"importance_sampling_level"`
	Epsilon      float64  `json:"epsilon"`
	EpsilonHigh  *float64 `json:"epsilon_high"`
	Beta         float64  `json:"beta"`
	Delta        *float64 `json:"delta"`
	BiasKL       bool     `json:"use_bias_correction_kl"`
	TopEntropy   float64  `json:"top_entropy_quantile"`
	OffPolicy    *float64 `json:"off_policy_mask_threshold"`
	Ratio        *string  `json:"is_ratio"`
	MaxLength    float64  `json:"max_completion_length"`
	Accumulation float64  `json:"gradient_accumulation_steps"`
	PerGen       float64  `json:"steps_per_generation"`
	Entropy      float64  `json:"entropy_coef"`
	TauPos       float64  `json:"sapo_temperature_pos"`
	TauNeg       float64  `json:"sapo_temperature_neg"`
	KPos         float64  `json:"vespo_k_pos"`
	LambdaPos    float64  `json:"vespo_lambda_pos"`
	KNeg         float64  `json:"vespo_k_neg"`
	LambdaNeg    float64  `json:"vespo_lambda_neg"`
	UseOld       bool     `json:"use_old"`
	UseSampling  bool     `json:"use_sampling"`
	UseToolMask  bool     `json:"use_tool_mask"`
	Eval         bool     `json:"eval"`
}

// lossCase is a case of losses/{grpo,gmpo,rloo}.json.gz.
type lossCase struct {
	ID      string           `json:"id"`
	Edge    string           `json:"edge"`
	Params  lossParams       `json:"params"`
	Inputs  map[string]array `json:"inputs"`
	Outputs struct {
		Loss       number             `json:"loss"`
		PerExample *array             `json:"per_example"`
		Grads      map[string]array   `json:"grads"`
		Extra      map[string]array   `json:"extra"`
		Metrics    map[string]*number `json:"metrics"`
	} `json:"outputs"`
	Float32 struct {
		Fragile bool `json:"fragile"`
	} `json:"float32_run"`
}

func TestOracleLosses(t *testing.T) {
	for _, family := range []string{"grpo", "gmpo", "rloo"} {
		t.Run(family, func(t *testing.T) {
			tally := oracle.NewTally(t)
			for _, root := range oracle.Roots(t, "trainers/losses") {
				var file struct {
					Cases []lossCase `json:"cases"`
				}
				oracle.ReadJSON(t, filepath.Join(root, family+".json.gz"), &file)
				for i := range file.Cases {
					c := &file.Cases[i]
					t.Run(c.ID, func(t *testing.T) {
						compareLoss[float64](t, c, family, loss64Tol)
						if !c.Float32.Fragile && math.Abs(float64(c.Outputs.Loss)) <= math.MaxFloat32 {
							compareLoss[float32](t, c, family, c.tolerance32())
						}
						tally.Compared(1)
					})
				}
			}
		})
	}
}

func (c *lossCase) tolerance32() float64 {
	if c.Edge == "extreme50" {
		return extreme32Tol
	}
	return loss32Tol
}

// objective is what TRL's options ask for.
func (c *lossCase) objective(t *testing.T, family string) rlhf.Objective {
	p := c.Params
	clip := rlhf.Clip{Low: p.Epsilon, High: p.Epsilon}
	if p.EpsilonHigh != nil {
		clip.High = *p.EpsilonHigh
	}
	if p.Delta != nil {
		clip.Cap = *p.Delta
	}
	level := map[string]rlhf.Level{"": 0, "token": rlhf.TokenLevel, "sequence": rlhf.SequenceLevel}[p.Level]
	o := rlhf.Objective{KL: rlhf.KL{Coef: p.Beta, Weighted: p.BiasKL, Level: level}, Entropy: p.Entropy}
	if p.OffPolicy != nil {
		o.OffPolicy = *p.OffPolicy
	}
	if family == "gmpo" || family == "rloo" {
		o.KL.Weighted = false // TRL's GMPO never weighs its KL, whatever the option says
		o.Policy = map[string]rlhf.Loss{"gmpo": rlhf.GMPO{Clip: clip}, "rloo": rlhf.RLOO{Clip: clip}}[family]
		return o
	}
	o.Policy = map[string]rlhf.Loss{
		"grpo": rlhf.GRPO{Clip: clip, Level: level}, "bnpo": rlhf.BNPO{Clip: clip, Level: level}, "dapo": rlhf.DAPO{Clip: clip, Level: level},
		"dr_grpo": rlhf.DrGRPO{Clip: clip, Level: level, Length: p.MaxLength}, "luspo": rlhf.LUSPO{Clip: clip, TokenRatios: level == rlhf.TokenLevel},
		"cispo": rlhf.CISPO{Max: clip.High, Level: level}, "sapo": rlhf.SAPO{Up: single(p.TauPos), Down: single(p.TauNeg), Level: level},
		"vespo": rlhf.VESPO{KUp: p.KPos, LambdaUp: p.LambdaPos, KDown: p.KNeg, LambdaDown: p.LambdaNeg},
	}[p.LossType]
	require.NotNil(t, o.Policy, p.LossType)
	require.Equal(t, p.LossType, o.Policy.Name())
	return o
}

// single is v as TRL has SAPO's temperatures, also in the fixture's float64 run.
func single(v float64) float64 { return float64(float32(v)) }

// mask is the tokens that count.
func (c *lossCase) mask() []float64 {
	m := append([]float64(nil), c.Inputs["completion_mask"].values()...)
	if c.Params.UseToolMask {
		for i, v := range c.Inputs["tool_mask"].values() {
			m[i] *= v
		}
	}
	return m
}

// denominator is what TRL divides a loss type's sum by.
func (c *lossCase) denominator(family string, rows, tokens float64) float64 {
	p := c.Params
	accumulation := math.Max(1, p.Accumulation)
	if p.Eval {
		accumulation = 1
	}
	switch {
	case family == "gmpo", family == "rloo", p.LossType == "grpo", p.LossType == "sapo", p.LossType == "dr_grpo", p.LossType == "luspo":
		return rows * accumulation
	case p.LossType == "bnpo":
		return math.Max(1, tokens) * accumulation
	}
	n := c.Inputs["num_items_in_batch"].values()[0]
	if p.Eval {
		return n
	}
	return n * accumulation / p.PerGen
}

// row is the numbers that a bed of rows binds.
func (c *lossCase) batch(family string) losstest.Batch {
	shape := c.Inputs["completion_mask"].Shape
	b := losstest.Batch{Rows: shape[0], Width: shape[1], Mask: c.mask(), LogProb: c.Inputs["policy_logps"].values(), RowAdvantage: c.Inputs["advantages"].values()}
	p := c.Params
	if family == "rloo" || p.UseOld {
		b.Old = c.Inputs["old_logps"].values()
	}
	if p.Beta != 0 {
		b.Ref = c.Inputs["ref_logps"].values()
	}
	if p.UseSampling {
		b.Sampler = c.Inputs["sampling_logps"].values()
	}
	if p.Ratio != nil {
		if w := c.Inputs["importance_sampling_ratio"]; w.Shape[1] == 1 {
			b.RowWeight = w.values()
		} else {
			b.Weight = w.values()
		}
	}
	b.Entropy = c.Inputs["entropies"].values()
	if p.TopEntropy != 0 && p.TopEntropy < 1 {
		b.Keep = advantage.TopEntropy(b.Entropy, b.Mask, p.TopEntropy)
	}
	return b
}

func compareLoss[T tensor.Float](t *testing.T, c *lossCase, family string, tol float64) {
	b := c.batch(family)
	o := c.objective(t, family)
	tokens := losstest.Total(b.Mask)
	b.Denominator = c.denominator(family, float64(b.Rows), tokens)
	accumulation := math.Max(1, c.Params.Accumulation)
	if c.Params.Eval {
		accumulation = 1
	}
	b.EntropyCoef = c.Params.Entropy * b.Denominator / (math.Max(1, tokens) * accumulation)
	got, err := losstest.Evaluate[T](o, b)
	require.NoError(t, err)
	want := c.Outputs
	near(t, []float64{float64(want.Loss)}, []float64{losstest.Total(got.Loss) / b.Denominator}, tol, "loss")
	near(t, want.Grads["policy_logps"].values(), got.Grad, tol, "gradient")
	if want.PerExample != nil {
		near(t, want.PerExample.values(), got.Loss, tol, "losses of rows")
	}
	if seq, ok := want.Extra["per_sequence_loss"]; ok && c.Params.Beta == 0 {
		near(t, seq.values(), got.Loss, tol, "losses of sequences")
	}
	for name, v := range want.Metrics {
		g, ok := got.Metrics[name]
		if !ok { // the coefficient is an input, the policy's loss a part of the total
			require.Contains(t, []string{"entropy_coef", "policy_loss"}, name)
			continue
		}
		if math.IsNaN(g) && family == "rloo" && tokens == 0 {
			continue // TRL counts rows without a token among the unclipped ones
		}
		near(t, []float64{float64(*v)}, []float64{g}, math.Max(tol, shareTol), fmt.Sprint("metric ", name))
	}
	if v := want.Metrics["policy_loss"]; v != nil {
		if o.Average().Over == rlhf.MeanOfTokens && c.Params.LossType != "bnpo" {
			accumulation = 1 // it stands in the denominator, which TRL does not undo for the log
		}
		near(t, []float64{float64(*v)}, []float64{losstest.Total(got.Policy) / b.Denominator * accumulation}, math.Max(tol, shareTol), "policy_loss")
	}
}
