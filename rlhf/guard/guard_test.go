package guard_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf/guard"
	"github.com/posttrain/posttrain/train"
)

var _ guard.Metrics = (*train.Metrics)(nil)

// The coefficient of a KL term follows its target within 20 % (§4.2): on a policy whose KL
// is what tilting by 1/β gives.
func TestAdaptiveKLTracksItsTarget(t *testing.T) {
	for _, start := range []float64{0.01, 0.3, 5} {
		k := &guard.AdaptiveKL{Coef: start, Target: 0.5, Horizon: 1000}
		require.NoError(t, k.Validate())
		b := newTilted(rand.New(rand.NewPCG(1, 1)))
		kl := 0.0
		for range 600 {
			kl = b.tilt(k.Coef).kl
			k.Observe(kl, 64)
		}
		assert.InEpsilon(t, 0.5, kl, 0.2, "from β = %g", start)
	}
	k := &guard.AdaptiveKL{Coef: 1, Target: 1, Horizon: 10}
	assert.InDelta(t, 1.2, k.Observe(1e9, 10), 1e-12, "one observation counts at most 20 %")
	assert.InDelta(t, 1.2, k.Observe(math.NaN(), 10), 1e-12)
	require.Error(t, (&guard.AdaptiveKL{}).Validate())
}

func TestDrift(t *testing.T) {
	d := guard.LengthDrift("length", 2)
	for range 10 {
		assert.Empty(t, d.Observe(guard.Values{"length": 50}))
	}
	assert.Empty(t, d.Observe(guard.Values{"length": 99}))
	assert.Empty(t, d.Observe(guard.Values{"length": 101}))
	assert.Empty(t, d.Observe(guard.Values{}), "absent metrics are passed over")
	assert.Empty(t, d.Observe(guard.Values{"length": math.NaN()}))
	assert.Empty(t, d.Observe(guard.Values{"length": 300}))
	raw, err := guard.Alarms{d, guard.KLBudget("kl", 2)}.State()
	require.NoError(t, err)
	again, budget := guard.LengthDrift("length", 2), guard.KLBudget("kl", 9)
	require.NoError(t, guard.Alarms{again, budget}.Restore(raw))
	assert.InDelta(t, 4, *budget.Most, 0)
	require.Error(t, guard.Alarms{again}.Restore(raw))
	require.Error(t, guard.Alarms{again}.Restore([]byte("{")))
	for _, alarm := range []*guard.Drift{d, again} {
		assert.Contains(t, alarm.Observe(guard.Values{"length": 300}), "length went from 50 to 300", "saved or not")
	}
	short := guard.LengthDrift("length", 2)
	for range 10 {
		short.Observe(guard.Values{"length": 50})
	}
	short.Observe(guard.Values{"length": 20})
	short.Observe(guard.Values{"length": 20})
	assert.NotEmpty(t, short.Observe(guard.Values{"length": 20}))
}

// Alarms are right about planted faults and silent otherwise: 200 runs of noise, half of
// them with a fault in the middle.
func TestAlarmsFindPlantedFaults(t *testing.T) {
	faults := map[string]func(m guard.Values, k float64){
		"drift of entropy": func(m guard.Values, k float64) { m["entropy"] *= math.Exp(-0.15 * k) },
		"drift of length":  func(m guard.Values, k float64) { m["length"] *= 1 + 0.1*k },
		"repetition":       func(m guard.Values, k float64) { m["repetition"] += 0.03 * k },
		"kl":               func(m guard.Values, k float64) { m["kl"] += 0.5 * k },
		"proxy–gold gap":   func(m guard.Values, k float64) { m["gold"] -= 0.03 * k; m["proxy"] += 0.03 * k },
	}
	for name, plant := range faults {
		found, falseAlarms := 0, 0
		for run := range 40 {
			rng := rand.New(rand.NewPCG(uint64(run), 3))
			alarms := guard.Alarms{
				guard.EntropyCollapse("entropy", 0.3), guard.LengthDrift("length", 2), guard.Repetition("repetition", 0.3),
				guard.KLBudget("kl", 3), &guard.Gap{Proxy: "proxy", Gold: "gold", Margin: 0.25},
			}
			planted, rang := run%2 == 0, []string(nil)
			for step := range 60 {
				m := guard.Values{
					"entropy": 1 + 0.1*rng.NormFloat64(), "length": 80 + 8*rng.NormFloat64(), "repetition": 0.05 + 0.02*rng.NormFloat64(),
					"kl": 2 + 0.5*rng.NormFloat64(), "proxy": 0.01*float64(step) + 0.1*rng.NormFloat64(), "gold": 0.005*float64(step) + 0.1*rng.NormFloat64(),
				}
				if planted && step >= 30 {
					plant(m, float64(step-30))
				}
				if rang = alarms.Observe(m); rang != nil {
					break
				}
			}
			switch {
			case planted && len(rang) == 1 && len(rang[0]) > len(name) && rang[0][:len(name)] == name:
				found++
			case !planted && rang != nil:
				falseAlarms++
			}
		}
		assert.GreaterOrEqual(t, found, 19, "%s: found of 20", name)
		assert.Zero(t, falseAlarms, name)
	}
}
