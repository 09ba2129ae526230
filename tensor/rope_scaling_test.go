package tensor

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// ropeTol is the rounding of a few float64 operations.
const ropeTol = 1e-14

func frequenciesOf(t *testing.T, s RoPEScaling, headDim, length int) ([]float64, float64) {
	t.Helper()
	inv, scale, err := RoPEFrequencies(s, headDim, length)
	require.NoError(t, err)
	return inv, scale
}

func requireFrequencies(t *testing.T, want, got []float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.InDelta(t, want[i], got[i], ropeTol*(1+math.Abs(want[i])), "frequency %d", i)
	}
}

func TestPlainAndLinearFrequencies(t *testing.T) {
	inv, scale := frequenciesOf(t, RoPEScaling{}, 8, 0)
	requireFrequencies(t, []float64{1, 0.1, 0.01, 0.001}, inv)
	require.Equal(t, 1.0, scale)
	inv, _ = frequenciesOf(t, RoPEScaling{Type: "linear", Factor: 4}, 8, 0)
	requireFrequencies(t, []float64{0.25, 0.025, 0.0025, 0.00025}, inv)
	inv, _ = frequenciesOf(t, RoPEScaling{Type: "default", Theta: 100, PartialRotaryFactor: 0.25}, 16, 0)
	requireFrequencies(t, []float64{1, 0.1}, inv)
	inv, _ = frequenciesOf(t, RoPEScaling{Type: "proportional", Theta: 16, PartialRotaryFactor: 0.5, Factor: 2}, 8, 0)
	requireFrequencies(t, []float64{0.5, 0.25, 0, 0}, inv)
}

func TestDynamicFrequenciesGrowWithTheLength(t *testing.T) {
	s := RoPEScaling{Type: "dynamic", Factor: 4, MaxPositionEmbeddings: 32}
	short, _ := frequenciesOf(t, s, 8, 32)
	requireFrequencies(t, []float64{1, 0.1, 0.01, 0.001}, short)
	// Twice the length: θ' = 10⁴·(4·2 − 3)^(8/6).
	long, _ := frequenciesOf(t, s, 8, 64)
	theta := 1e4 * math.Pow(5, 8.0/6)
	requireFrequencies(t, []float64{1, math.Pow(theta, -0.25), math.Pow(theta, -0.5), math.Pow(theta, -0.75)}, long)
}

func TestLlama3Frequencies(t *testing.T) {
	// Wavelengths are 2π·10^k; within 1000 positions they turn 159, 15.9, 1.59
	// and 0.159 times: kept, kept, blended, divided.
	s := RoPEScaling{Type: "llama3", Factor: 8, OriginalMaxPositionEmbeddings: 1000, LowFreqFactor: 1, HighFreqFactor: 4}
	inv, scale := frequenciesOf(t, s, 8, 0)
	keep := (10/(2*math.Pi) - 1) / 3
	requireFrequencies(t, []float64{1, 0.1, 0.01*keep + 0.01/8*(1-keep), 0.001 / 8}, inv)
	require.Equal(t, 1.0, scale)
}

func TestYarnFrequencies(t *testing.T) {
	// d = 16, θ = 100, L = 64: the bound of 32 turns is 16·ln(64/64π)/(2·ln 100)
	// = −1.99, floor −2, at least 0; that of 1 turn is 4.03, ceil 5.
	s := RoPEScaling{Type: "yarn", Theta: 100, Factor: 4, OriginalMaxPositionEmbeddings: 64}
	inv, scale := frequenciesOf(t, s, 16, 0)
	var want []float64
	for i := range 8 {
		f, ramp := math.Pow(100, -float64(i)/8), min(float64(i)/5, 1)
		want = append(want, f*(1-ramp)+f/4*ramp)
	}
	requireFrequencies(t, want, inv)
	require.InDelta(t, 1+0.1*math.Log(4), scale, ropeTol)

	s.Factor, s.MaxPositionEmbeddings = 0, 256
	again, _ := frequenciesOf(t, s, 16, 0)
	requireFrequencies(t, want, again)
	s.MScale, s.MScaleAllDim = 2, 1
	_, scale = frequenciesOf(t, s, 16, 0)
	require.InDelta(t, (1+0.2*math.Log(4))/(1+0.1*math.Log(4)), scale, ropeTol)
	s.NoTruncate = true
	inv, _ = frequenciesOf(t, s, 16, 0)
	high := 16 * math.Log(64/(2*math.Pi)) / (2 * math.Log(100))
	f, ramp := math.Pow(100, -0.5), 4/high
	require.InDelta(t, f*(1-ramp)+f/4*ramp, inv[4], ropeTol)
	s.AttentionFactor = 1.5
	_, scale = frequenciesOf(t, s, 16, 0)
	require.Equal(t, 1.5, scale)
}

func TestLongRoPEFrequencies(t *testing.T) {
	s := RoPEScaling{Type: "longrope", MaxPositionEmbeddings: 160, OriginalMaxPositionEmbeddings: 40,
		ShortFactor: []float64{1, 2}, LongFactor: []float64{4, 5}}
	inv, scale := frequenciesOf(t, s, 4, 40)
	requireFrequencies(t, []float64{1, 0.005}, inv)
	require.InDelta(t, math.Sqrt(1+math.Log(4)/math.Log(40)), scale, ropeTol)
	inv, _ = frequenciesOf(t, s, 4, 41)
	requireFrequencies(t, []float64{0.25, 0.002}, inv)
	o, err := s.Options(4)
	require.NoError(t, err)
	inv, _ = o.LengthFreqs(41)
	requireFrequencies(t, []float64{0.25, 0.002}, inv)
}

func TestRoPEScalingReportsEveryFault(t *testing.T) {
	_, _, err := RoPEFrequencies(RoPEScaling{Type: "longrope", Theta: -1, MaxPositionEmbeddings: 160, ShortFactor: []float64{0}}, 4, 0)
	require.ErrorIs(t, err, ErrRoPE)
	for _, text := range []string{"theta is -1", "short_factor has 1 entries, want 2", "short_factor has an entry 0", "long_factor has 0 entries, want 2"} {
		require.ErrorContains(t, err, text)
	}
	for _, s := range []RoPEScaling{
		{Type: "su"}, {PartialRotaryFactor: 0.3}, {PartialRotaryFactor: 1.5}, {Type: "yarn", Factor: 2}, {Type: "dynamic", Factor: 0.5},
		{Type: "llama3", Factor: 2, OriginalMaxPositionEmbeddings: 8, LowFreqFactor: 4, HighFreqFactor: 1}, {Theta: math.NaN()},
	} {
		_, err := s.Options(10)
		require.ErrorIs(t, err, ErrRoPE, "%+v", s)
	}
}
