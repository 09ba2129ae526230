package rlhf_test

import (
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

// ppoCase is a case of losses/ppo.json.gz: one rollout, one update.
type ppoCase struct {
	ID     string `json:"id"`
	Params struct {
		KL         float64  `json:"kl_coef"`
		Estimator  string   `json:"kl_estimator"`
		Whiten     bool     `json:"whiten_rewards"`
		Gamma      float64  `json:"gamma"`
		Lambda     float64  `json:"lam"`
		Clip       float64  `json:"cliprange"`
		ClipValue  float64  `json:"cliprange_value"`
		ValueCoef  float64  `json:"vf_coef"`
		MissingEOS *float64 `json:"missing_eos_penalty"`
	} `json:"params"`
	Edge    string           `json:"edge"`
	Inputs  map[string]array `json:"inputs"`
	Outputs struct {
		Loss    number            `json:"loss"`
		Grads   map[string]array  `json:"grads"`
		Extra   map[string]array  `json:"extra"`
		Metrics map[string]number `json:"metrics"`
	} `json:"outputs"`
}

const (
	padID, eosID = 0, 2
)

func TestOraclePPO(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/losses") {
		var file struct {
			Cases []ppoCase `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "ppo.json.gz"), &file)
		for i := range file.Cases {
			c := &file.Cases[i]
			t.Run(c.ID, func(t *testing.T) {
				comparePPO[float64](t, c, loss64Tol)
				tol := loss32Tol
				if c.Edge == "extreme50" {
					tol = extreme32Tol
				}
				comparePPO[float32](t, c, tol)
				tally.Compared(1)
			})
		}
	}
}

// ppoRollout is the rows of a case: tokens of the answer, and positions of the critic, one
// more where there is room for it. TRL puts the score at that last position.
type ppoRollout struct {
	tokens, positions [][]float64 // masks
	kl                [][]float64
	scores            []float64
	rewards           [][]float64
}

func (c *ppoCase) rows(name string) [][]float64 {
	a := c.Inputs[name]
	out, flat := make([][]float64, a.Shape[0]), a.values()
	for i := range out {
		out[i] = flat[i*a.Shape[1] : (i+1)*a.Shape[1]]
	}
	return out
}

// lay lays a case out as TRL's PPO does.
func (c *ppoCase) lay() ppoRollout {
	var r ppoRollout
	old, ref := c.rows("old_logps"), c.rows("ref_logps")
	estimate := map[string]func(float64) float64{"k1": advantage.K1, "k3": advantage.K3}[c.Params.Estimator]
	for i, ids := range c.rows("responses") {
		width := len(ids)
		tokens, positions, kl, rewards := make([]float64, width), make([]float64, width), make([]float64, width), make([]float64, width)
		last, ended := -1, false
		for s, id := range ids {
			if id == padID {
				break
			}
			last, ended = s, ended || id == eosID
			tokens[s], positions[s] = 1, 1
			kl[s] = estimate(old[i][s] - ref[i][s])
			rewards[s] = -c.Params.KL * kl[s]
		}
		score := c.Inputs["scores"].values()[i]
		if p := c.Params.MissingEOS; p != nil && !ended {
			score -= *p
		}
		end := min(last+1, width-1)
		positions[end] = 1
		rewards[end] += score
		r.tokens, r.positions, r.kl, r.rewards, r.scores = append(r.tokens, tokens), append(r.positions, positions), append(r.kl, kl), append(r.rewards, rewards), append(r.scores, score)
	}
	return r
}

func comparePPO[T tensor.Float](t *testing.T, c *ppoCase, tol float64) {
	r := c.lay()
	rewards := r.rewards
	if c.Params.Whiten {
		rewards = advantage.Whiten(rewards, r.positions, advantage.WhitenOptions{Unbiased: true, KeepMean: true})
	}
	adv, returns := advantage.GAE(rewards, c.rows("values"), r.positions, c.Params.Gamma, c.Params.Lambda)
	white := advantage.Whiten(adv, r.tokens, advantage.WhitenOptions{Unbiased: true})
	wanted := c.Outputs.Extra["advantages_after_whitening"].values()
	for i, on := range flat(r.tokens) {
		wanted[i] *= on // TRL shifts padding too, and does not use it
	}
	near(t, wanted, flat(white), loss64Tol, "advantages")
	shape := c.Inputs["responses"].Shape
	got, err := losstest.Evaluate[T](rlhf.Objective{Policy: rlhf.PPO{Clip: rlhf.Clip{Low: c.Params.Clip}}}, losstest.Batch{
		Rows: shape[0], Width: shape[1], LogProb: flat(c.rows("new_logps")), Old: flat(c.rows("old_logps")),
		Mask: flat(r.tokens), Advantage: flat(white), Denominator: losstest.Total(flat(r.tokens)),
	})
	require.NoError(t, err)
	policy := losstest.Total(got.Loss) / losstest.Total(flat(r.tokens))
	near(t, c.Outputs.Extra["policy_loss"].values(), []float64{policy}, tol, "policy's loss")
	near(t, c.Outputs.Grads["new_logps"].values(), got.Grad, tol, "policy's gradient")
	value, grad, clipped := evaluateValue[T](t, c, flat(r.positions), flat(returns))
	near(t, c.Outputs.Extra["value_loss_without_half"].values(), []float64{2 * value}, tol, "critic's loss")
	near(t, c.Outputs.Grads["vpred"].values(), grad, tol, "critic's gradient")
	near(t, []float64{float64(c.Outputs.Loss)}, []float64{policy + c.Params.ValueCoef*value}, tol, "loss")
	c.compareMetrics(t, r, map[string]float64{
		"loss/policy_avg": policy, "loss/value_avg": value, "val/clipfrac_avg": clipped, "policy/clipfrac_avg": got.Metrics["clip_ratio/region_mean"],
	})
}

// evaluateValue is the critic's loss, its gradient times vf_coef and the clipped share.
func evaluateValue[T tensor.Float](t *testing.T, c *ppoCase, mask, returns []float64) (loss float64, grad []float64, clipped float64) {
	pred := c.Inputs["vpred"].values()
	p := param[T](t, "value", pred)
	n := len(pred)
	shape := c.Inputs["vpred"].Shape
	ends := make([]int32, shape[0])
	for i := range ends {
		ends[i] = int32((i + 1) * shape[1])
	}
	in := map[string][]float64{"old": c.Inputs["values"].values(), "return": returns, "mask": mask, "seed": {c.Params.ValueCoef / losstest.Total(mask)}}
	nodes := map[string]*tensor.Node{}
	var end *tensor.Node
	var out rlhf.Total
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		for _, name := range []string{"old", "return", "mask", "seed"} {
			nodes[name] = tensor.Input(g, p.Dtype(), name, len(in[name]))
		}
		end = tensor.Input(g, tensor.Int32, "ends", len(ends))
		out = rlhf.Value{Clip: c.Params.ClipValue}.Build(g, rlhf.ValueTokens{Value: p.Node(g), Old: nodes["old"], Return: nodes["return"], Mask: nodes["mask"], Ends: end})
		for _, part := range tensor.Gradients(tensor.Nodes{tensor.Sum(out.Loss)}, tensor.Nodes{nodes["seed"]}, tensor.Nodes{p.Node(g)})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: p})
		}
	})
	require.NoError(t, err)
	run, err := tensor.Compile(g, tensor.Nodes{out.Loss, out.Metrics[0].Value}, tensor.CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	for name, v := range in {
		require.NoError(t, tensor.Bind(run, nodes[name], narrow[T](v)))
	}
	require.NoError(t, tensor.Bind(run, end, ends))
	require.NoError(t, run.Run())
	rows, err := tensor.Values[T](run, out.Loss)
	require.NoError(t, err)
	for _, v := range rows {
		loss += float64(v)
	}
	flags, err := tensor.Values[T](run, out.Metrics[0].Value)
	require.NoError(t, err)
	for i := range n {
		clipped += float64(flags[i]) * mask[i]
	}
	total := losstest.Total(mask)
	return loss / total, gradient(p), clipped / total
}

// compareMetrics checks what the trainer logs of the rollout, in float32 for the most
// part. Clip fractions whose clipping is decided by rounding are left to the losses.
func (c *ppoCase) compareMetrics(t *testing.T, r ppoRollout, got map[string]float64) {
	var penalty float64
	for i := range r.kl {
		got["objective/kl"] += losstest.Total(r.kl[i]) / float64(len(r.kl))
		penalty -= c.Params.KL * losstest.Total(r.kl[i]) / float64(len(r.kl))
		got["objective/scores"] += r.scores[i] / float64(len(r.kl))
	}
	got["objective/non_score_reward"], got["objective/rlhf_reward"] = penalty, penalty+got["objective/scores"]
	for name, v := range got {
		near(t, []float64{float64(c.Outputs.Metrics[name])}, []float64{v}, math.Max(loss32Tol, shareTol), name)
	}
}

func flat(rows [][]float64) []float64 {
	var out []float64
	for _, r := range rows {
		out = append(out, r...)
	}
	return out
}

func param[T tensor.Float](t testing.TB, name string, v []float64) *tensor.Param {
	t.Helper()
	p, err := tensor.NewParam(name, narrow[T](v), len(v))
	require.NoError(t, err)
	require.NoError(t, p.SetTrainable(true))
	return p
}

func gradient(p *tensor.Param) []float64 {
	if g := p.Grad64(); g != nil {
		return g
	}
	out := make([]float64, p.Len())
	for i, v := range p.Grad() {
		out[i] = float64(v)
	}
	return out
}

func narrow[T tensor.Float](v []float64) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}
