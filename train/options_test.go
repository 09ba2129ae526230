package train

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultsAreTheDocumentedOnes(t *testing.T) {
	o := Options{}.withDefaults()
	a := o.Optimizer.(AdamW)
	assert.Equal(t, AdamW{LR: 5e-5, Betas: &[2]float64{0.9, 0.999}, Eps: 1e-8}, a)
	assert.Equal(t, Linear{}, o.Schedule)
	assert.Equal(t, 1.0, *o.MaxGradNorm)
	assert.Equal(t, 3.0, o.Epochs)
	assert.Equal(t, 500, o.SaveEvery)
	assert.Equal(t, 2, o.Keep)
	assert.Equal(t, "eval_loss", o.Watch.Metric)
	assert.Zero(t, Options{MaxSteps: 7}.withDefaults().Epochs)
	require.NoError(t, Options{}.Validate())
}

func TestValidateReportsAllFaults(t *testing.T) {
	err := Options{
		Optimizer:   AdamW{LR: -1, Betas: &[2]float64{0.9, 1}, Eps: math.NaN(), WeightDecay: -2},
		Schedule:    Cosine{Warmup: Warmup{Steps: 3, Ratio: 2}, MinLR: 1, MinRatio: 0.5},
		Groups:      []Group{{}, {Match: []string{"a"}, LRFactor: -1, WeightDecay: new(-1.0)}},
		Decay:       "some",
		MaxGradNorm: new(-1.0),
		Denominator: "per_token",
		MaxSteps:    -1, Epochs: math.Inf(1), EvalEvery: -2, SampleEvery: -3,
		Settings: json.RawMessage(`[1]`),
		Resume:   true,
	}.Validate()
	require.ErrorIs(t, err, ErrOptions)
	for _, field := range []string{
		"AdamW.LR: got -1", "AdamW.Betas[1]: got 1", "AdamW.Eps: got NaN", "AdamW.WeightDecay: got -2",
		"Cosine.Warmup.Ratio: got 2", "Cosine.Warmup: got Steps 3 and Ratio 2", "Cosine.MinRatio beside MinLR: got 0.5",
		"Groups[0].Match", "Groups[1].LRFactor: got -1", "Groups[1].WeightDecay: got -1", `Options.Decay: got "some"`,
		"Options.MaxGradNorm: got -1", `Options.Denominator: got "per_token"`, "Options.MaxSteps: got -1", "Options.Epochs: got +Inf",
		"Options.EvalEvery: got -2", "Options.SampleEvery: got -3", "Options.Settings", "Options.Resume",
	} {
		assert.ErrorContains(t, err, field)
	}
	for _, s := range []Schedule{
		Constant{Warmup{Steps: -1}}, Linear{Warmup{Ratio: -1}}, CosineWarm{StartRatio: 2}, CosineRestarts{Cycles: -1}, Polynomial{Power: -1},
		InverseSqrt{Timescale: -1}, WarmupStableDecay{DecaySteps: -1}, WarmupStableDecay{DecayShape: "square"}, ReduceOnPlateau{Factor: 1},
		ReduceOnPlateau{Cooldown: -1}, Greedy{Factor: 2}, Greedy{Hold: -1}, Greedy{MinLR: new(2.0)},
	} {
		assert.ErrorIs(t, s.Validate(), ErrOptions, "%+v", s)
	}
}

func TestOptionsRoundTripAsJSON(t *testing.T) {
	full := Options{
		Optimizer: AdamW{LR: 1e-4, Betas: &[2]float64{0.8, 0.9}, Eps: 1e-6, WeightDecay: 0.1, AMSGrad: true, Maximize: true},
		Groups:    []Group{{Match: []string{"a*", "b"}, LRFactor: 0.5, WeightDecay: new(0.0)}},
		Decay:     DecayAll, MaxGradNorm: new(0.0), Denominator: PerMicroBatch, MaxSteps: 5, Epochs: 1.5, EvalEvery: 1, SampleEvery: 2,
		Watch: Watch{"eval_x", true}, SaveEvery: -1, Keep: 4, Settings: json.RawMessage(`{"rank":8}`),
	}
	for _, s := range []Schedule{
		nil, Constant{Warmup{Steps: 3}}, Linear{Warmup{Ratio: 0.1}}, Cosine{Cycles: 2, MinRatio: 0.1}, CosineWarm{StartRatio: 0.5}, CosineRestarts{Cycles: 3},
		Polynomial{Power: 2, End: new(0.0)}, InverseSqrt{Timescale: 9}, WarmupStableDecay{DecaySteps: 4, DecayShape: CurveSqrt},
		ReduceOnPlateau{Patience: new(0), Factor: 0.5}, Greedy{Patience: new(2), MaxLR: new(0.1)},
	} {
		o := full
		o.Schedule = s
		raw, err := json.Marshal(o)
		require.NoError(t, err)
		var back Options
		require.NoError(t, json.Unmarshal(raw, &back))
		assert.Equal(t, o, back, "%s", raw)
		assert.NoError(t, compareOptions(raw, back))
	}
	var zero Options
	raw, err := json.Marshal(zero)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &zero))
	assert.Equal(t, Options{}, zero)
}

func TestOptionsFromJSONAreStrict(t *testing.T) {
	for raw, want := range map[string]string{
		`{"max_step":3}`: `unknown field "max_step"`,
		`{"optimizer":{"name":"adamw","learning_rate":1}}`: `Options.Optimizer: adamw: json: unknown field "learning_rate"`,
		`{"optimizer":{"name":"lyon"}}`:                    `Options.Optimizer: got "lyon", want one of ad`,
		`{"schedule":{"lr":1}}`:                            "Options.Schedule: name",
		`{"schedule":{"name":"step"}}`:                     `got "step", want one of constant_with_warmup, cosine`,
		`{"schedule":"linear"}`:                            "Options.Schedule",
		`{"max_steps":"ten"}`:                              "max_steps",
	} {
		var o Options
		assert.ErrorContains(t, json.Unmarshal([]byte(raw), &o), want, raw)
		assert.Equal(t, Options{}, o, "unchanged")
	}
	o := Options{MaxSteps: 3, Schedule: Constant{}}
	require.NoError(t, json.Unmarshal([]byte(`{"epochs":2}`), &o))
	assert.Equal(t, Options{MaxSteps: 3, Schedule: Constant{}, Epochs: 2}, o, "absent fields keep their value")
}

// ownRule is an optimizer of somebody else's.
type ownRule struct {
	AdamW
	Secret chan int `json:",omitempty"`
}

func (ownRule) Name() string { return "own" }

func TestRulesOfOthersAreWrittenNotRead(t *testing.T) {
	raw, err := json.Marshal(Options{Optimizer: ownRule{AdamW: AdamW{LR: 1}}})
	assert.ErrorContains(t, err, "train: Options.Optimizer: json: unsupported type: chan int")
	assert.Nil(t, raw)
	raw, err = encodeRule("own", struct{}{})
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"own"}`, string(raw))
	_, err = encodeRule("own", 3)
	assert.ErrorContains(t, err, "want an object")
}

func TestGroups(t *testing.T) {
	params := []Parameter{flatParam("layers.0.q.weight", []float64{1}, false), flatParam("layers.0.q.bias", []float64{1}, false), flatParam("head", []float64{1}, false)}
	all, err := slots(params, []Group{{Match: []string{"*.bias"}, LRFactor: 2}, {Match: []string{"layers.*.q.*"}, WeightDecay: new(0.3)}}, DecayMatrices)
	require.NoError(t, err)
	assert.Equal(t, 0.3, *all[0].WeightDecay)
	assert.Equal(t, 1.0, all[0].LRFactor)
	assert.Zero(t, *all[1].WeightDecay, "biases do not decay")
	assert.Equal(t, 2.0, all[1].LRFactor, "the first group that matches")
	assert.Nil(t, all[2].WeightDecay, "the optimizer's own")
	_, err = slots(params, []Group{{Match: []string{"layer.*"}}}, DecayAll)
	assert.ErrorIs(t, err, ErrOptions)
	assert.ErrorContains(t, err, `no trainable parameter matches ["layer.*"]`)
	for pattern, want := range map[string]string{
		"*": "a.b.c ab", "a*": "a.b.c ab", "*c": "a.b.c", "a.*.c": "a.b.c", "*b*": "a.b.c ab", "a": "", "a*b*c*d": "", "ab": "ab", "a.*b.*c": "a.b.c", "*.b.c*": "a.b.c",
	} {
		var got []string
		for _, name := range []string{"a.b.c", "ab"} {
			if matches(pattern, name) {
				got = append(got, name)
			}
		}
		assert.Equal(t, want, strings.Join(got, " "), "pattern %s", pattern)
	}
}

func TestParametersThatCannotBeTrained(t *testing.T) {
	twice := flatParam("a", []float64{1, 2}, false)
	short := flatParam("b", []float64{1, 2}, true)
	short.gr64 = short.gr64[:1]
	frozen := flatParam("c", []float64{1}, false)
	frozen.grad = nil
	_, err := AdamW{}.Start([]Slot{{Param: twice}, {Param: twice}, {Param: short}, {Param: frozen}})
	for _, want := range []string{"parameter a: got two", "parameter b: got 1 gradient entries, want 2", "parameter c: got 0 gradient entries, want 1 (is it trainable?)"} {
		assert.ErrorContains(t, err, want)
	}
	_, err = AdamW{}.Start(nil)
	assert.ErrorContains(t, err, "got no trainable parameter")
}
