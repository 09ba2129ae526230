package train

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/require"
)

const (
	// The fixture's README: achievable in float64 against torch's loop.
	optimizerTolerance64 = 1e-12
	// The same for float32 and adaptive rules, 20 steps.
	optimizerTolerance32 = 2e-6
	// The same for gradient descent, whose values are large.
	sgdTolerance32 = 2e-5
	// The same for Muon, whose iteration runs in bfloat16 in the library and in
	// the parameters' type with us; the fixture has it in float64 too.
	muonLibraryTolerance = 2e-2
	muonTolerance64      = 1e-9
	// Five iterations stretch a rounding error of 6e-8 by up to 3.4445⁵ = 485;
	// 20 steps of 0.05, times the factors of the shapes, add up to this.
	muonTolerance32 = 5e-5
)

// ruleNames are our names of the fixture's classes.
var ruleNames = map[string]string{
	"AdamW": "adamw", "Adam": "adam", "SGD": "sgd", "RMSprop": "rmsprop", "Lion": "lion", "Adagrad": "adagrad", "Adamax": "adamax", "NAdam": "nadam", "RAdam": "radam",
	"Adafactor": "adafactor", "TorchAdafactor": "torch_adafactor", "Muon": "muon", "AdamWScheduleFree": "schedule_free_adamw", "SGDScheduleFree": "schedule_free_sgd",
	"AdamW8bit": "adamw", "Adam8bit": "adam", "Lion8bit": "lion",
}

type optimizerCase struct {
	ID, Optimizer, Problem string
	Options                map[string]any // the library's names, which are our JSON names
	Groups                 []struct {
		Names       []string
		LR          float64
		WeightDecay *float64 `json:"weight_decay"`
	}
	LRs     []float64
	Tensors []string
	Params  trajectory
	Eval    trajectory                  `json:"eval_params"`
	Exact   struct{ Params trajectory } `json:"float64_newton_schulz"`
}

// trajectory are the tensors after each step.
type trajectory []map[string]json.RawMessage

// optimizer reads the case through the options' own JSON.
func (c *optimizerCase) optimizer(t *testing.T) Optimizer {
	fields := map[string]any{}
	for name, v := range c.Options {
		fields[name] = v
	}
	_, decays := fields["weight_decay"]
	switch {
	case c.Optimizer == "AdamW" && !decays:
		fields["weight_decay"] = 0.01 // torch's default; ours is the Trainer's, 0
	case c.Optimizer == "Muon" && !decays:
		fields["weight_decay"] = 0.1
	case c.Optimizer == "Adafactor":
		delete(fields, "relative_step") // ours follows from LR
	}
	fields["name"] = ruleNames[c.Optimizer]
	raw, err := json.Marshal(map[string]any{"optimizer": fields})
	require.NoError(t, err)
	var o Options
	require.NoError(t, json.Unmarshal(raw, &o))
	require.NoError(t, o.Optimizer.Validate())
	require.Equal(t, ruleNames[c.Optimizer], o.Optimizer.Name())
	return o.Optimizer
}

func (c *optimizerCase) groups() []Group {
	var all []Group
	for _, g := range c.Groups {
		group := Group{Match: g.Names, WeightDecay: g.WeightDecay}
		if g.LR != 0 {
			group.LRFactor = g.LR / c.Options["lr"].(float64)
		}
		all = append(all, group)
	}
	return all
}

// tolerance is how far our trajectory may be from that of the fixture.
func (c *optimizerCase) tolerance(wide bool) float64 {
	switch {
	case c.Optimizer == "Muon":
		return muonLibraryTolerance
	case wide:
		return optimizerTolerance64
	case c.Optimizer == "SGD" || c.Optimizer == "SGDScheduleFree":
		return sgdTolerance32
	}
	return optimizerTolerance32
}

type optimizerProblem struct {
	Params map[string]json.RawMessage
	Grads  trajectory
}

func TestOracleOptimizers(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "optim") {
		var cases struct{ Cases []optimizerCase }
		var problems struct{ Problems map[string]optimizerProblem }
		oracle.ReadJSON(t, filepath.Join(root, "optimizers.json.gz"), &cases)
		oracle.ReadJSON(t, filepath.Join(root, "optimizer_problems.json"), &problems)
		for _, c := range cases.Cases {
			if optimizers[ruleNames[c.Optimizer]] == nil {
				tally.Skip(c.ID, "rule not offered")
				continue
			}
			for _, wide := range []bool{true, false} {
				t.Run(c.ID+map[bool]string{true: "/float64", false: "/float32"}[wide], func(t *testing.T) {
					replayOptimizer(t, &c, wide, problems.Problems[c.Problem])
				})
			}
			tally.Compared(1)
		}
	}
}

func replayOptimizer(t *testing.T, c *optimizerCase, wide bool, problem optimizerProblem) {
	var params []Parameter
	for _, name := range c.Tensors {
		p := flatParam(name, flatten(t, problem.Params[name]), wide)
		p.shape = shapeOf(problem.Params[name])
		params = append(params, p)
	}
	o := c.optimizer(t)
	all, err := slots(params, c.groups(), DecayAll)
	require.NoError(t, err)
	u, err := o.Start(all)
	require.NoError(t, err)
	compare := func(step int, want trajectory, tolerance float64) {
		for _, p := range params {
			require.InDeltaSlice(t, flatten(t, want[step][p.Name()]), p.(*toyParam).values(), tolerance, "%s after step %d", p.Name(), step+1)
		}
	}
	for step, g := range problem.Grads {
		for _, p := range params {
			p.(*toyParam).setGrad(flatten(t, g[p.Name()]))
		}
		lr := o.BaseLR()
		if c.LRs != nil {
			lr = c.LRs[step]
		}
		u.Update(step+1, lr, 1)
		compare(step, c.Params, c.tolerance(wide))
		if c.Optimizer == "Muon" {
			compare(step, c.Exact.Params, map[bool]float64{true: muonTolerance64, false: muonTolerance32}[wide])
		}
		if c.Eval != nil {
			e := u.(EvalPoint)
			e.SetEvalPoint(true)
			compare(step, c.Eval, c.tolerance(wide))
			e.SetEvalPoint(false)
			compare(step, c.Params, c.tolerance(wide))
		}
	}
}

// shapeOf is the shape of a tensor written as nested lists.
func shapeOf(raw json.RawMessage) []int {
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		return nil
	}
	return append([]int{len(parts)}, shapeOf(parts[0])...)
}
