package advantage_test

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/rlhf/advantage"
)

const (
	// tolerance is for float64 numbers that differ by rounding, relative to the largest.
	tolerance = 1e-12
	// singleTol is for numbers that TRL computes in float32 even in its float64 run.
	singleTol = 1e-6
)

// number is a number of a fixture; NaN and infinities are strings there.
type number float64

func (n *number) UnmarshalJSON(raw []byte) error {
	switch string(raw) {
	case `"NaN"`, "null":
		*n = number(math.NaN())
	case `"Infinity"`:
		*n = number(math.Inf(1))
	case `"-Infinity"`:
		*n = number(math.Inf(-1))
	default:
		return json.Unmarshal(raw, (*float64)(n))
	}
	return nil
}

// array is a tensor of a fixture, or a plain number.
type array struct {
	Shape []int
	Data  []float64
}

func (a *array) UnmarshalJSON(raw []byte) error {
	var one number
	if json.Unmarshal(raw, &one) == nil {
		a.Data = []float64{float64(one)}
		return nil
	}
	var full struct {
		Shape []int    `json:"shape"`
		Data  []number `json:"data"`
	}
	if err := json.Unmarshal(raw, &full); err != nil {
		return err
	}
	a.Shape = full.Shape
	for _, v := range full.Data {
		a.Data = append(a.Data, float64(v))
	}
	return nil
}

// rows cuts a matrix into its rows.
func (a array) rows() [][]float64 {
	out := make([][]float64, a.Shape[0])
	for i := range out {
		out[i] = a.Data[i*a.Shape[1] : (i+1)*a.Shape[1]]
	}
	return out
}

// independent is a case of the families without a library behind them.
type independent struct {
	ID      string             `json:"id"`
	Params  map[string]float64 `json:"params"`
	Inputs  map[string]array   `json:"inputs"`
	Outputs map[string]array   `json:"outputs"`
}

func (c independent) in(name string) [][]float64 { return c.Inputs[name].rows() }

// groups are the ids of rows in groups of the case's size.
func (c independent) groups(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i / int(c.Params["group"])
	}
	return out
}

func TestOracleIndependent(t *testing.T) {
	for family, check := range map[string]func(t *testing.T, c independent){
		"kl": compareKL, "gae": compareGAE, "vtrace": compareVTrace, "reinforce_pp": compareReinforcePP,
		"remax": compareReMax, "opo": compareOPO, "gpg": compareGPG, "group_stats": compareGroupStats,
	} {
		t.Run(family, func(t *testing.T) {
			tally := oracle.NewTally(t)
			for _, root := range oracle.Roots(t, "trainers/independent") {
				var file struct {
					Cases []independent `json:"cases"`
				}
				oracle.ReadJSON(t, filepath.Join(root, family+".json"), &file)
				for _, c := range file.Cases {
					t.Run(c.ID, func(t *testing.T) { check(t, c) })
					tally.Compared(1)
				}
			}
		})
	}
}

// compareKL checks values; their gradients are checked where the graph is.
func compareKL(t *testing.T, c independent) {
	p, q, m := c.in("policy_logps"), c.in("ref_logps"), c.in("mask")
	for name, k := range map[string]func(float64) float64{"k1": advantage.K1, "k2": advantage.K2, "k3": advantage.K3} {
		got := make([][]float64, len(p))
		for i := range p {
			for s := range p[i] {
				got[i] = append(got[i], k(p[i][s]-q[i][s])*m[i][s])
			}
		}
		near(t, c.Outputs[name].Data, flat(got), tolerance, name)
	}
}

func compareGAE(t *testing.T, c independent) {
	r, v, m := c.in("rewards"), c.in("values"), c.in("mask")
	gamma, lambda := c.Params["gamma"], c.Params["lam"]
	a, ret := advantage.GAE(r, v, m, gamma, lambda)
	near(t, c.Outputs["advantages_skip_masked"].Data, flat(a), tolerance, "advantages")
	near(t, c.Outputs["returns_skip_masked"].Data, flat(ret), tolerance, "returns")
	near(t, c.Outputs["advantages_whitened"].Data, flat(advantage.Whiten(a, m, advantage.WhitenOptions{})), tolerance, "whitened")
	all := make([][]float64, len(m))
	for i := range m {
		all[i] = ones(len(m[i]))
	}
	a, ret = advantage.GAE(r, v, all, gamma, lambda)
	near(t, c.Outputs["advantages_no_mask"].Data, flat(a), tolerance, "advantages without a mask")
	near(t, c.Outputs["returns_no_mask"].Data, flat(ret), tolerance, "returns without a mask")
}

func compareVTrace(t *testing.T, c independent) {
	v, a := advantage.VTrace(c.in("policy_logps"), c.in("behaviour_logps"), c.in("rewards"), c.in("values"),
		advantage.VTraceOptions{Bootstrap: c.Inputs["bootstrap"].Data, Gamma: c.Params["gamma"], Lambda: c.Params["lam"], Rho: c.Params["rho_bar"], C: c.Params["c_bar"]})
	near(t, c.Outputs["vs"].Data, flat(v), tolerance, "targets")
	near(t, c.Outputs["pg_advantages"].Data, flat(a), tolerance, "advantages")
}

func compareReinforcePP(t *testing.T, c independent) {
	m, scores := c.in("mask"), c.Inputs["scores"].Data
	r := advantage.KLPenalty{Beta: c.Params["beta"]}.Rewards(scores, c.in("policy_logps"), c.in("ref_logps"), m)
	near(t, c.Outputs["token_rewards"].Data, flat(r), tolerance, "rewards")
	near(t, c.Outputs["rewards_to_go"].Data, flat(advantage.ToGo(r, m, c.Params["gamma"])), tolerance, "rewards to go")
	near(t, c.Outputs["advantages"].Data, flat(advantage.ReinforcePP(r, m, c.Params["gamma"])), tolerance, "advantages")
	near(t, c.Outputs["baseline_advantages"].Data, flat(advantage.ReinforcePPBaseline(scores, c.groups(len(scores)), m)), tolerance, "with baseline")
}

func compareReMax(t *testing.T, c independent) {
	m, scores, greedy := c.in("mask"), c.Inputs["scores"].Data, c.Inputs["greedy_scores"].Data
	near(t, c.Outputs["advantages_no_kl"].Data, flat(advantage.Spread(advantage.Greedy(scores, greedy), m)), tolerance, "without KL")
	r := advantage.KLPenalty{Beta: c.Params["beta"]}.Rewards(scores, c.in("policy_logps"), c.in("ref_logps"), m)
	got := advantage.ToGo(r, m, c.Params["gamma"])
	for i, base := range advantage.Spread(greedy, m) {
		for s := range base {
			got[i][s] -= base[s]
		}
	}
	near(t, c.Outputs["advantages"].Data, flat(got), tolerance, "advantages")
}

func compareOPO(t *testing.T, c independent) {
	scores := c.Inputs["scores"].Data
	near(t, c.Outputs["advantages"].Data, advantage.OPO(scores, c.Inputs["lengths"].Data, c.groups(len(scores))), tolerance, "advantages")
}

// compareGPG checks advantages; the loss is checked where the graph is.
func compareGPG(t *testing.T, c independent) {
	scores := c.Inputs["scores"].Data
	a, alpha := advantage.GPG(scores, c.groups(len(scores)))
	near(t, c.Outputs["alpha"].Data, []float64{alpha}, tolerance, "alpha")
	near(t, c.Outputs["advantages"].Data, a, tolerance, "advantages")
}

func compareGroupStats(t *testing.T, c independent) {
	scores := c.Inputs["scores"].Data
	g := advantage.Group(scores, c.groups(len(scores)), advantage.GroupOptions{})
	near(t, c.Outputs["advantages_eps1e-4"].Data, g.Advantages, tolerance, "advantages")
	for i, size := 0, int(c.Params["group"]); i < len(scores); i += size {
		near(t, c.Outputs["mean"].Data[i/size:i/size+1], g.Mean[i:i+1], tolerance, "mean")
		near(t, c.Outputs["std_sample"].Data[i/size:i/size+1], g.Std[i:i+1], tolerance, "deviation")
	}
}

// trl is a case of grpo_advantages or rloo_advantages.
type trl struct {
	ID     string `json:"id"`
	Params struct {
		Generations  int         `json:"num_generations"`
		Truncated    bool        `json:"mask_truncated_completions"`
		Scale        string      `json:"scale_rewards"`
		Aggregation  string      `json:"multi_objective_aggregation"`
		Weights      []float64   `json:"reward_weights"`
		Sampler      string      `json:"sampler_mode"`
		Max          *float64    `json:"clip_max"`
		Min          *float64    `json:"clip_min"`
		Beta         float64     `json:"beta"`
		Standardised bool        `json:"normalize_advantages"`
		Range        *[2]float64 `json:"reward_clip_range"`
	} `json:"params"`
	Inputs  map[string]array `json:"inputs"`
	Outputs struct {
		PerExample array            `json:"per_example"`
		Extra      map[string]array `json:"extra"`
		Metrics    map[string]array `json:"metrics"`
	} `json:"outputs"`
}

// rewards are those of each function, NaN where it knows none.
func (c trl) rewards() (each [][]float64, weights []float64, groups []int) {
	table, none := c.Inputs["rewards"].rows(), c.Inputs["reward_none"].rows()
	each = make([][]float64, len(table[0]))
	for i := range table {
		groups = append(groups, i/c.Params.Generations)
		for k := range each {
			r := table[i][k]
			if none[i][k] != 0 {
				r = math.NaN()
			}
			each[k] = append(each[k], r)
		}
	}
	if weights = c.Params.Weights; weights == nil {
		weights = ones(len(each))
	}
	return each, weights, groups
}

// mask is the tokens that count: a cut-off row's do not where it is to be masked.
func (c trl) mask() [][]float64 {
	shape := c.Inputs["old_logps"].Shape
	out := make([][]float64, shape[0])
	for i, length := range c.Inputs["lengths"].Data {
		out[i] = make([]float64, shape[1])
		for s := range int(length) {
			out[i][s] = 1
		}
	}
	if c.Params.Truncated {
		cut := make([]bool, len(out))
		for i, eos := range c.Inputs["ends_with_eos"].Data {
			cut[i] = eos == 0
		}
		out = advantage.WithoutRows(out, cut)
	}
	return out
}

func TestOracleTRLAdvantages(t *testing.T) {
	for family, check := range map[string]func(t *testing.T, c trl){"grpo_advantages": compareGRPO, "rloo_advantages": compareRLOO} {
		t.Run(family, func(t *testing.T) {
			tally := oracle.NewTally(t)
			for _, root := range oracle.Roots(t, "trainers/losses") {
				var file struct {
					Cases []trl `json:"cases"`
				}
				oracle.ReadJSON(t, filepath.Join(root, family+".json.gz"), &file)
				for _, c := range file.Cases {
					t.Run(c.ID, func(t *testing.T) {
						near(t, c.Outputs.Extra["completion_mask"].Data, flat(c.mask()), 0, "mask")
						check(t, c)
					})
					tally.Compared(1)
				}
			}
		})
	}
}

func compareGRPO(t *testing.T, c trl) {
	each, weights, groups := c.rewards()
	rewards := advantage.Sum(each, weights)
	g := advantage.Group(rewards, groups, advantage.GroupOptions{Scale: map[string]advantage.Scale{"group": advantage.GroupStd, "batch": advantage.BatchStd, "none": advantage.NoScale}[c.Params.Scale]})
	got := g.Advantages
	if c.Params.Aggregation == "normalize_then_sum" {
		got = advantage.NormalizeThenSum(each, weights, groups, 0)
	}
	near(t, c.Outputs.PerExample.Data, got, tolerance, "advantages")
	mean, std := advantage.MeanStd(rewards)
	near(t, c.Outputs.Metrics["reward"].Data, []float64{mean}, singleTol, "reward")
	near(t, c.Outputs.Metrics["reward_std"].Data, []float64{std}, singleTol, "reward_std")
	if c.Params.Aggregation != "normalize_then_sum" {
		near(t, c.Outputs.Metrics["frac_reward_zero_std"].Data, []float64{g.ZeroStd()}, singleTol, "frac_reward_zero_std")
	}
	if c.Params.Sampler != "" {
		compareSampler(t, c)
	}
}

func compareSampler(t *testing.T, c trl) {
	mode := map[string]advantage.Correction{
		"token_truncate": advantage.TokenTruncate, "token_mask": advantage.TokenMask,
		"sequence_truncate": advantage.SequenceTruncate, "sequence_mask": advantage.SequenceMask,
	}[c.Params.Sampler]
	var b advantage.Bounds
	if c.Params.Max != nil {
		b.Max = *c.Params.Max
	}
	if c.Params.Min != nil {
		b.Min = *c.Params.Min
	}
	m := advantage.Correct(c.Inputs["old_logps"].rows(), c.Inputs["sampling_logps"].rows(), c.mask(), mode, b)
	got := m.Row
	if strings.HasPrefix(c.Params.Sampler, "token") {
		got = flat(m.Token)
	}
	near(t, c.Outputs.Extra["importance_sampling_ratio"].Data, got, tolerance, "ratio")
	near(t, c.Outputs.Metrics["sampling/sampling_logp_difference/mean"].Data, []float64{m.MeanDifference}, singleTol, "mean difference")
	near(t, c.Outputs.Metrics["sampling/sampling_logp_difference/max"].Data, []float64{m.MaxDifference}, singleTol, "largest difference")
}

func compareRLOO(t *testing.T, c trl) {
	each, weights, groups := c.rewards()
	rewards := advantage.Sum(each, weights)
	if r := c.Params.Range; r != nil {
		rewards = advantage.Clip(rewards, r[0], r[1])
	}
	if c.Params.Beta != 0 {
		old, ref, mask := c.Inputs["old_logps"].rows(), c.Inputs["ref_logps"].rows(), c.mask()
		for i := range rewards {
			for s, on := range mask[i] {
				if on != 0 {
					rewards[i] -= c.Params.Beta * advantage.K1(old[i][s]-ref[i][s])
				}
			}
		}
	}
	got := advantage.LeaveOneOut(rewards, groups, c.Params.Standardised)
	near(t, c.Outputs.PerExample.Data, got, tolerance, "advantages")
}

// near compares lists relative to the largest number wanted; NaN equals NaN.
func near(t *testing.T, want, got []float64, tol float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	size := 1e-6
	for _, v := range want {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			size = math.Max(size, math.Abs(v))
		}
	}
	for i, v := range want {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			require.Equal(t, math.IsNaN(v), math.IsNaN(got[i]), "%s: element %d: got %v, want %v", what, i, got[i], v)
			continue
		}
		require.LessOrEqual(t, math.Abs(got[i]-v), tol*size, "%s: element %d: got %v, want %v", what, i, got[i], v)
	}
}

func flat(rows [][]float64) []float64 {
	var out []float64
	for _, r := range rows {
		out = append(out, r...)
	}
	return out
}

func ones(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1
	}
	return out
}
