package tensor

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// klTrial compares distributions of hidden widths 4 and 3 at rows of 6 hidden
// states; row 1 is never listed, row 0 twice.
func klTrial(v int, p, r LogProbOptions) trial {
	rng := rand.New(rand.NewPCG(1, uint64(v)))
	return trial{
		floats: map[string][]float64{"h": normal(rng, 24), "head": normal(rng, v*4), "refh": normal(rng, 18), "refhead": normal(rng, v*3)},
		ints:   map[string][]int32{"rows": {0, 2, 0, 5, 3}},
		shapes: map[string][]int{"h": {6, 4}, "head": {v, 4}, "refh": {6, 3}, "refhead": {v, 3}},
		build: func(in map[string]*Node) Nodes {
			d := TokenKL(Distribution{H: in["h"], Head: in["head"], Options: p}, Distribution{H: in["refh"], Head: in["refhead"], Options: r}, in["rows"])
			return Nodes{d.PolicyToReference, d.ReferenceToPolicy}
		},
	}
}

// naiveKL is both divergences by their definition.
func naiveKL(tr trial, p, r LogProbOptions) [][]float64 {
	logProbs := func(h, head string, o LogProbOptions, row int32) []float64 {
		d := tr.shapes[h][1]
		out := make([]float64, tr.shapes[head][0])
		total := 0.0
		for t := range out {
			for c := range d {
				out[t] += tr.floats[h][int(row)*d+c] * tr.floats[head][t*d+c]
			}
			if o.SoftCap > 0 {
				out[t] = o.SoftCap * math.Tanh(out[t]/o.SoftCap)
			}
			if o.Temperature > 0 {
				out[t] /= o.Temperature
			}
			total += math.Exp(out[t])
		}
		for t := range out {
			out[t] -= math.Log(total)
		}
		return out
	}
	res := make([][]float64, 2)
	for _, row := range tr.ints["rows"] {
		a, b := logProbs("h", "head", p, row), logProbs("refh", "refhead", r, row)
		var ab, ba float64
		for t := range a {
			ab += math.Exp(a[t]) * (a[t] - b[t])
			ba += math.Exp(b[t]) * (b[t] - a[t])
		}
		res[0], res[1] = append(res[0], ab), append(res[1], ba)
	}
	return res
}

func TestTokenKLEqualsItsDefinition(t *testing.T) {
	p, r := LogProbOptions{Temperature: 1.4}, LogProbOptions{SoftCap: 3}
	for _, o := range [][2]LogProbOptions{{p, r}, {r, p}} {
		tr := klTrial(maxVocabChunk+300, o[0], o[1])
		want := naiveKL(tr, o[0], o[1])
		for i, x := range runTrial[float64](t, tr) {
			requireClose(t, want[i], x, logProbTol64, "float64")
		}
		for i, x := range runTrial[float32](t, tr) {
			requireClose(t, want[i], x, logProbTol32, "float32")
		}
	}
}

func TestTokenKLGradients(t *testing.T) {
	p, r := LogProbOptions{Temperature: 1.4}, LogProbOptions{SoftCap: 3}
	for _, o := range [][2]LogProbOptions{{p, r}, {r, p}} {
		tr := klTrial(13, o[0], o[1])
		checkGradients(t, tr, "h", "head")
		checkGradients(t, tr, "h")
		both := tr.build
		for i := range divergences {
			tr.build = func(in map[string]*Node) Nodes { return both(in)[i : i+1] }
			checkGradients(t, tr, "h", "head")
		}
	}
}

func TestKLOfADistributionToItselfIsZero(t *testing.T) {
	tr := klTrial(700, LogProbOptions{}, LogProbOptions{})
	tr.build = func(in map[string]*Node) Nodes {
		p := Distribution{H: in["h"], Head: in["head"]}
		d := TokenKL(p, p, in["rows"])
		return Nodes{d.PolicyToReference, d.ReferenceToPolicy}
	}
	for _, x := range runTrial[float32](t, tr) {
		require.Equal(t, make([]float64, 5), x)
	}
}

func TestTokenKLAllocatesNothing(t *testing.T) {
	k := compileTrial[float32](t, klTrial(700, LogProbOptions{}, LogProbOptions{SoftCap: 2}), "h", "head")
	for i := range divergences {
		k.bind(t, seedName(i), make([]float64, 5))
	}
	k.run(t)
	k.requireNoAllocations(t)
}
