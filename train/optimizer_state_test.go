package train

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everyRule is each optimizer, in the forms that keep most state.
func everyRule() map[string]Optimizer {
	return map[string]Optimizer{
		"adamw": AdamW{}, "adamw amsgrad": AdamW{AMSGrad: true}, "adamw 8": AdamW{EightBit: true}, "adam": Adam{AMSGrad: true}, "adam 8": Adam{EightBit: true},
		"sgd": SGD{Momentum: 0.9, Nesterov: true}, "rmsprop": RMSprop{Momentum: 0.9, Centered: true}, "muon": Muon{}, "lion": Lion{}, "lion 8": Lion{EightBit: true},
		"adagrad": Adagrad{}, "adamax": Adamax{}, "nadam": NAdam{}, "radam": RAdam{}, "adafactor": Adafactor{Beta1: 0.9}, "torch_adafactor": TorchAdafactor{},
		"schedule_free_adamw": ScheduleFreeAdamW{}, "schedule_free_sgd": ScheduleFreeSGD{LR: 0.1},
	}
}

// ruleParams are a matrix of more than one chunk, one small and a vector.
func ruleParams() []Parameter {
	var params []Parameter
	for name, shape := range map[string][]int{"big": {300, 256}, "small": {5, 7}, "vector": {33}} {
		p := flatParam(name, make([]float64, elements(shape)), false)
		p.shape = shape
		for i := range p.data {
			p.data[i] = float32(math.Sin(float64(3*i + len(name))))
		}
		params = append(params, p)
	}
	for i := range params { // in the order of names
		for k := range i {
			if params[i].Name() < params[k].Name() {
				params[i], params[k] = params[k], params[i]
			}
		}
	}
	return params
}

func startRule(t *testing.T, o Optimizer, params []Parameter) Updater {
	all, err := slots(params, nil, DecayAll)
	require.NoError(t, err)
	u, err := o.Start(all)
	require.NoError(t, err)
	return u
}

func ruleStep(u Updater, params []Parameter, step int, lr float64) {
	for _, p := range params {
		for i := range p.Grad() {
			p.Grad()[i] = float32(math.Cos(float64(7*i + 11*step)))
		}
	}
	u.Update(step, lr, 0.5)
}

func sameBits(t *testing.T, want, got []Parameter) {
	for i, p := range want {
		require.Equal(t, p.Data(), got[i].Data(), p.Name())
	}
}

func TestOptimizersResumeExactlyOnAnyNumberOfCores(t *testing.T) {
	two := tensor.NewDevice(2)
	defer two.Close()
	for name, o := range everyRule() {
		t.Run(name, func(t *testing.T) {
			params := ruleParams()
			u := startRule(t, o, params)
			for step := range 2 {
				ruleStep(u, params, step+1, o.BaseLR())
			}
			// A checkpoint holds the evaluation point as weights.
			again := ruleParams()
			e, moves := u.(EvalPoint)
			if moves {
				e.SetEvalPoint(true)
			}
			for i, p := range params {
				copy(again[i].Data(), p.Data())
			}
			path := filepath.Join(t.TempDir(), "state")
			require.NoError(t, saveMoments(path, u.State()))
			if moves {
				require.NotEqual(t, u.State()[len(u.State())-1].F32, params[len(params)-1].Data(), "x is not y")
				e.SetEvalPoint(false)
			}
			back := startRule(t, o, again)
			back.(DeviceUser).UseDevice(two)
			require.NoError(t, loadMoments(path, back.State()))
			sameBits(t, params, again)
			for step := range 2 {
				ruleStep(u, params, step+3, o.BaseLR())
				ruleStep(back, again, step+3, o.BaseLR())
			}
			sameBits(t, params, again)
			step, lr := 5, o.BaseLR()
			assert.Zero(t, testing.AllocsPerRun(2, func() {
				u.Update(step, lr, 1)
				step++
			}), "allocations a step")
		})
	}
}

func TestEveryRuleIsReadFromJSONAndRefusesFaults(t *testing.T) {
	for name, o := range everyRule() {
		require.NotNil(t, optimizers[o.Name()], name)
		filled, err := Options{Optimizer: o}.withDefaults().MarshalJSON()
		require.NoError(t, err)
		var back Options
		require.NoError(t, back.UnmarshalJSON(filled), "%s", filled)
		require.Equal(t, Options{Optimizer: o}.withDefaults().Optimizer, back.Optimizer)
	}
	inf := math.Inf(1)
	for _, o := range []Optimizer{
		Adam{LR: -1}, Adam{EightBit: true, AMSGrad: true}, AdamW{EightBit: true, AMSGrad: true}, Muon{AdjustLR: "x"}, SGD{Momentum: 1}, SGD{Nesterov: true}, RMSprop{Alpha: 2}, Lion{Betas: &[2]float64{0.9, 1}},
		Adagrad{LRDecay: -1}, Adamax{Eps: inf}, NAdam{MomentumDecay: -1}, RAdam{WeightDecay: inf}, Adafactor{DecayRate: 0.5}, Adafactor{LR: 1, WarmupInit: true},
		TorchAdafactor{D: -1}, ScheduleFreeAdamW{Betas: &[2]float64{0, 0.9}}, ScheduleFreeSGD{WarmupSteps: -1},
	} {
		assert.ErrorIs(t, o.Validate(), ErrOptions, "%+v", o)
		_, err := o.Start(nil)
		assert.ErrorIs(t, err, ErrOptions, "%+v", o)
	}
}
