package tensor

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Tolerances relative to the largest element. In float32 an attention result
// is a mean of values with weights exact to some 1e-6; gradients are sums over
// a few hundred such terms.
const (
	attentionTol64     = 1e-12
	attentionTol32     = 5e-6
	attentionGradTol32 = 2e-5
)

// batchOf is a packed batch of random queries, keys and values.
func batchOf(o AttentionOptions, lengths, prefix []int) trial {
	rng := rand.New(rand.NewPCG(1, uint64(len(lengths))))
	tr := trial{floats: map[string][]float64{}, ints: map[string][]int32{}, shapes: map[string][]int{}}
	n := 0
	after := make([]int, len(lengths)) // length of each chain
	for i, l := range lengths {
		start := 0
		if prefix[i] >= 0 {
			start = after[prefix[i]]
		}
		for p := range l {
			tr.ints["positions"] = append(tr.ints["positions"], int32(start+p))
		}
		after[i] = start + l
		n += l
		tr.ints["ends"] = append(tr.ints["ends"], int32(n))
		tr.ints["prefix"] = append(tr.ints["prefix"], int32(prefix[i]))
	}
	for name, heads := range map[string]int{"q": o.Heads, "k": o.KVHeads, "v": o.KVHeads} {
		tr.shapes[name] = []int{n, heads * o.HeadDim}
	}
	for _, name := range []string{"q", "k", "v"} {
		tr.floats[name] = normal(rng, n*tr.shapes[name][1])
	}
	tr.build = func(in map[string]*Node) Nodes {
		return Nodes{Attention(in["q"], in["k"], in["v"], Segments{in["ends"], in["prefix"], in["positions"]}, o)}
	}
	return tr
}

// naiveAttention is the definition, row by row.
func naiveAttention(tr trial, o AttentionOptions) []float64 {
	segment := func(row int) int {
		s := 0
		for int(tr.ints["ends"][s]) <= row {
			s++
		}
		return s
	}
	q, k, v := tr.floats["q"], tr.floats["k"], tr.floats["v"]
	n := len(tr.ints["positions"])
	out := make([]float64, len(q))
	for i := range n {
		for h := range o.Heads {
			var weights []float64
			var rows []int
			total := 0.0
			for j := range n {
				seen := false
				for s := segment(i); s >= 0; s = int(tr.ints["prefix"][s]) {
					seen = seen || segment(j) == s && (s != segment(i) || j <= i)
				}
				if d := int(tr.ints["positions"][i] - tr.ints["positions"][j]); !seen || o.Window > 0 && d >= o.Window {
					continue
				}
				score := 0.0
				for c := range o.HeadDim {
					score += q[(i*o.Heads+h)*o.HeadDim+c] * k[(j*o.KVHeads+h/(o.Heads/o.KVHeads))*o.HeadDim+c]
				}
				score *= o.Scale
				if o.SoftCap > 0 {
					score = o.SoftCap * math.Tanh(score/o.SoftCap)
				}
				rows, weights = append(rows, j), append(weights, math.Exp(score))
				total += math.Exp(score)
			}
			for x, j := range rows {
				for c := range o.HeadDim {
					out[(i*o.Heads+h)*o.HeadDim+c] += weights[x] / total * v[(j*o.KVHeads+h/(o.Heads/o.KVHeads))*o.HeadDim+c]
				}
			}
		}
	}
	return out
}

var attentionCases = []struct {
	name            string
	o               AttentionOptions
	lengths, prefix []int
}{
	{"one head", AttentionOptions{Heads: 1, KVHeads: 1, HeadDim: 4, Scale: 0.5}, []int{5, 1, 3}, []int{-1, -1, -1}},
	{"grouped", AttentionOptions{Heads: 6, KVHeads: 2, HeadDim: 3, Scale: 0.7}, []int{4, 6}, []int{-1, -1}},
	{"window", AttentionOptions{Heads: 2, KVHeads: 1, HeadDim: 3, Scale: 0.7, Window: 3}, []int{7, 2}, []int{-1, -1}},
	{"soft cap", AttentionOptions{Heads: 2, KVHeads: 2, HeadDim: 3, Scale: 1.1, SoftCap: 0.8}, []int{5, 2}, []int{-1, -1}},
	{"shared prefix", AttentionOptions{Heads: 2, KVHeads: 1, HeadDim: 3, Scale: 0.7}, []int{4, 2, 3, 3, 2}, []int{-1, 0, 0, 1, -1}},
	{"everything", AttentionOptions{Heads: 4, KVHeads: 2, HeadDim: 2, Scale: 0.9, Window: 4, SoftCap: 2}, []int{3, 4, 0, 3}, []int{-1, 0, 0, 1}},
}

func TestAttentionEqualsItsDefinition(t *testing.T) {
	for _, tc := range attentionCases {
		t.Run(tc.name, func(t *testing.T) {
			tr := batchOf(tc.o, tc.lengths, tc.prefix)
			want := naiveAttention(tr, tc.o)
			requireClose(t, want, runTrial[float64](t, tr)[0], attentionTol64, "float64")
			requireClose(t, want, runTrial[float32](t, tr)[0], attentionTol32, "float32")
		})
	}
}

func TestAttentionGradients(t *testing.T) {
	for _, tc := range attentionCases {
		t.Run(tc.name, func(t *testing.T) {
			checkGradients(t, batchOf(tc.o, tc.lengths, tc.prefix), "q", "k", "v")
		})
	}
}

// longCases span several blocks of rows and keys, several units and, for the
// last, several rounds of partial sums.
var longCases = []struct {
	name            string
	o               AttentionOptions
	lengths, prefix []int
}{
	{"blocks", AttentionOptions{Heads: 2, KVHeads: 1, HeadDim: 8, Scale: 0.4}, []int{150, 70, 129}, []int{-1, -1, -1}},
	{"window", AttentionOptions{Heads: 1, KVHeads: 1, HeadDim: 8, Scale: 0.4, Window: 40}, []int{300}, []int{-1}},
	{"units", AttentionOptions{Heads: 1, KVHeads: 1, HeadDim: 4, Scale: 0.4, SoftCap: 5}, []int{20, 1100}, []int{-1, -1}},
	{"windowed units", AttentionOptions{Heads: 1, KVHeads: 1, HeadDim: 4, Scale: 0.4, Window: 300}, []int{700, 530}, []int{-1, 0}},
	{"rounds", AttentionOptions{Heads: 2, KVHeads: 2, HeadDim: 4, Scale: 0.4}, []int{400, 20, 30, 40, 50, 60, 70, 80, 90, 100}, []int{-1, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
}

func TestLongAttentionInFloat32IsThatOfFloat64(t *testing.T) {
	for _, tc := range longCases {
		t.Run(tc.name, func(t *testing.T) {
			tr := batchOf(tc.o, tc.lengths, tc.prefix)
			want := naiveAttention(tr, tc.o)
			rng := rand.New(rand.NewPCG(3, 4))
			seeds := [][]float64{normal(rng, len(want))}
			o64, g64 := runGradients[float64](t, tr, seeds, "q", "k", "v")
			requireClose(t, want, o64[0], attentionTol64, "float64")
			o32, g32 := runGradients[float32](t, tr, seeds, "q", "k", "v")
			requireClose(t, want, o32[0], attentionTol32, "float32")
			for i, name := range []string{"q", "k", "v"} {
				requireClose(t, g64[i], g32[i], attentionGradTol32, "gradient by "+name)
			}
			checkDirection(t, tr, seeds, g64)
		})
	}
}

// checkDirection compares gradients by q, k and v with a central difference
// along one random direction.
func checkDirection(t *testing.T, tr trial, seeds, grads [][]float64) {
	t.Helper()
	const step = 1e-6
	rng := rand.New(rand.NewPCG(8, 9))
	k := compileTrial[float64](t, tr)
	var got float64
	shift := map[string][]float64{}
	for i, name := range []string{"q", "k", "v"} {
		shift[name] = normal(rng, len(tr.floats[name]))
		for j, d := range shift[name] {
			got += d * grads[i][j]
		}
	}
	value := func(sign float64) (total float64) {
		for name, d := range shift {
			for j := range d {
				k.data[name][j] = tr.floats[name][j] + sign*step*d[j]
			}
		}
		for j, x := range k.run(t)[0] {
			total += x * seeds[0][j]
		}
		return total
	}
	want := (value(1) - value(-1)) / (2 * step)
	require.InEpsilon(t, want, got, 1e-6)
}

func TestSharedPrefixIsLikeSeparateSequences(t *testing.T) {
	o := AttentionOptions{Heads: 4, KVHeads: 2, HeadDim: 8, Scale: 0.3}
	shared := batchOf(o, []int{90, 30, 70, 5}, []int{-1, 0, 0, 0})
	// The same with the prompt repeated in front of each completion.
	separate := batchOf(o, []int{120, 160, 95}, []int{-1, -1, -1})
	from := []int{} // row of shared for each row of separate
	at := 90
	for _, n := range []int{30, 70, 5} {
		for i := range 90 {
			from = append(from, i)
		}
		for range n {
			from = append(from, at)
			at++
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	seed := normal(rng, 195*4*8)
	clear(seed[:90*32])
	seedSeparate := make([]float64, len(from)*32)
	for _, name := range []string{"q", "k", "v"} {
		w := shared.shapes[name][1]
		for i, r := range from {
			copy(separate.floats[name][i*w:(i+1)*w], shared.floats[name][r*w:(r+1)*w])
		}
	}
	for i, r := range from {
		copy(seedSeparate[i*32:(i+1)*32], seed[r*32:(r+1)*32])
	}
	a, ga := runGradients[float32](t, shared, [][]float64{seed}, "q", "k", "v")
	b, gb := runGradients[float32](t, separate, [][]float64{seedSeparate}, "q", "k", "v")
	for i, r := range from {
		requireClose(t, b[0][i*32:(i+1)*32], a[0][r*32:(r+1)*32], attentionTol32, "values")
	}
	for x, name := range []string{"q", "k", "v"} {
		w := shared.shapes[name][1]
		total := make([]float64, len(ga[x]))
		for i, r := range from {
			for c := range w {
				total[r*w+c] += gb[x][i*w+c]
			}
		}
		requireClose(t, total, ga[x], attentionGradTol32, "gradient by "+name)
	}
}

func TestAttentionIgnoresItsNeighbours(t *testing.T) {
	o := AttentionOptions{Heads: 2, KVHeads: 1, HeadDim: 8, Scale: 0.3}
	packed := batchOf(o, []int{100, 33, 7}, []int{-1, -1, -1})
	seed := normal(rand.New(rand.NewPCG(3, 4)), 140*16)
	whole, gWhole := runGradients[float32](t, packed, [][]float64{seed}, "q", "k", "v")
	start := 0
	for _, n := range []int{100, 33, 7} {
		alone := batchOf(o, []int{n}, []int{-1})
		for _, name := range []string{"q", "k", "v"} {
			w := packed.shapes[name][1]
			alone.floats[name] = packed.floats[name][start*w : (start+n)*w]
		}
		one, gOne := runGradients[float32](t, alone, [][]float64{seed[start*16 : (start+n)*16]}, "q", "k", "v")
		require.Equal(t, one[0], whole[0][start*16:(start+n)*16])
		for x, name := range []string{"q", "k", "v"} {
			w := packed.shapes[name][1]
			require.Equal(t, gOne[x], gWhole[x][start*w:(start+n)*w])
		}
		start += n
	}
}

func TestAttentionLeavesDeadRowsAlone(t *testing.T) {
	o := AttentionOptions{Heads: 2, KVHeads: 1, HeadDim: 4, Scale: 0.3, Window: 50}
	whole := batchOf(o, []int{70, 20}, []int{-1, 0})
	seed := normal(rand.New(rand.NewPCG(3, 4)), 90*8)
	want, gWant := runGradients[float32](t, whole, [][]float64{seed}, "q", "k", "v")
	// The same in a larger graph: rows and segments past the live ones are not bound.
	large := whole
	large.shapes = map[string][]int{"q": {200, 8}, "k": {200, 4}, "v": {200, 4}, "positions": {200}, "ends": {9}, "prefix": {9}}
	large.axes = map[string][]string{"rows": {"q", "k", "v", "positions", "seed0"}, "segments": {"ends", "prefix"}}
	large.live = map[string]int{"rows": 90, "segments": 2}
	got, gGot := runGradients[float32](t, large, [][]float64{seed}, "q", "k", "v")
	require.Equal(t, want, got)
	require.Equal(t, gWant, gGot)
}

func TestAttentionIsTheSameOnAnyNumberOfWorkers(t *testing.T) {
	for _, tc := range longCases {
		tr := batchOf(tc.o, tc.lengths, tc.prefix)
		seeds := [][]float64{normal(rand.New(rand.NewPCG(3, 4)), len(tr.floats["q"]))}
		var outs, grads [3][][]float64
		for i, n := range []int{1, 2, 5} {
			tr.device = NewDevice(n)
			outs[i], grads[i] = runGradients[float32](t, tr, seeds, "q", "k", "v")
			tr.device.Close()
			require.Equal(t, outs[0], outs[i])
			require.Equal(t, grads[0], grads[i])
		}
	}
}

func TestAttentionAllocatesNothing(t *testing.T) {
	tr := batchOf(AttentionOptions{Heads: 4, KVHeads: 2, HeadDim: 8, Scale: 0.3, Window: 90, SoftCap: 20}, []int{80, 40, 90}, []int{-1, 0, -1})
	k := compileTrial[float32](t, tr, "q", "k", "v")
	k.bind(t, "seed0", normal(rand.New(rand.NewPCG(3, 4)), 210*32))
	k.run(t)
	k.requireNoAllocations(t)
}

func TestAttentionReportsFaults(t *testing.T) {
	o := AttentionOptions{Heads: 2, KVHeads: 1, HeadDim: 4, Window: 3}
	for name, tc := range map[string]struct {
		change func(tr *trial)
		want   string
	}{
		"end":      {func(tr *trial) { tr.ints["ends"] = []int32{5, 4} }, "segment 1 ends at row 4, want 5 to 8"},
		"uncover":  {func(tr *trial) { tr.ints["ends"] = []int32{5, 7} }, "the last of 2 segments ends at row 7, want 8"},
		"cycle":    {func(tr *trial) { tr.ints["prefix"] = []int32{1, 0} }, "segment 0 has segment 1 as its prefix"},
		"position": {func(tr *trial) { tr.ints["positions"][2] = 0 }, "position 0 of row 2 after 1"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := batchOf(o, []int{5, 3}, []int{-1, 0})
			tc.change(&tr)
			k := compileTrial[float32](t, tr)
			require.ErrorContains(t, k.p.Run(), tc.want)
		})
	}
	_, err := Build(func(g *Graph) {
		q := Input(g, Float32, "q", 4, 8)
		Attention(q, q, q, Segments{Ends: Input(g, Int32, "ends", 1)}, AttentionOptions{Heads: 2, KVHeads: 1, HeadDim: 4})
	})
	require.ErrorIs(t, err, ErrBuild)
	require.ErrorContains(t, err, "k has shape (4, 8), want (4, 4)")
}

func TestUnitsOfOneSegmentDoNotShareMemory(t *testing.T) {
	const n = 3*attentionChunk + 100
	l := attentionLayout{AttentionOptions: AttentionOptions{Heads: 1, KVHeads: 1, HeadDim: 1}, rows: n, prefix: 4}
	p := &attentionPlan[float32]{}
	p.addSegment(0, 100, -1)
	p.addSegment(100, 100+2*attentionChunk, 0)
	p.addSegment(100+2*attentionChunk, n, 1)
	p.planUnits(l)
	require.Len(t, p.units, 4)
	first := 0
	for _, end := range p.rounds {
		used := 0
		for _, u := range p.units[first:end] {
			s := &p.segments[u.segment]
			require.Equal(t, u.segment == 0 || s.end-s.start <= attentionChunk, u.direct)
			require.Equal(t, used, u.buffer)
			used += u.partialEnd(s) - u.from
		}
		require.LessOrEqual(t, used, l.budget())
		first = end
	}
	require.Equal(t, len(p.units), first)
}
