package tensor

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// cachedTolerance is that of two float32 attentions whose products add in
// different orders.
const cachedTolerance = 2e-6

// cached runs rows of a batch against a cache of the given size.
type cached struct {
	k      compiled[float32]
	kc, vc []float32
}

func newCached(t testing.TB, o AttentionOptions, capacity, slots, maxLen int) *cached {
	c := &cached{kc: make([]float32, slots*maxLen*o.kvWidth()), vc: make([]float32, slots*maxLen*o.kvWidth())}
	tr := trial{
		floats: map[string][]float64{},
		ints:   map[string][]int32{"slots": nil, "positions": nil},
		shapes: map[string][]int{"q": {capacity, o.qWidth()}, "k": {capacity, o.kvWidth()}, "v": {capacity, o.kvWidth()},
			"kcache": {slots, maxLen, o.kvWidth()}, "vcache": {slots, maxLen, o.kvWidth()}, "slots": {capacity}, "positions": {capacity}},
		axes: map[string][]string{"rows": {"q", "k", "v", "slots", "positions"}},
		live: map[string]int{"rows": 0},
		build: func(in map[string]*Node) Nodes {
			return Nodes{CachedAttention(in["q"], in["k"], in["v"], in["kcache"], in["vcache"], in["slots"], in["positions"], o)}
		},
	}
	for _, name := range []string{"q", "k", "v", "kcache", "vcache"} {
		tr.floats[name] = make([]float64, elements(tr.shapes[name]))
	}
	c.k = compileTrial[float32](t, tr)
	require.NoError(t, Bind(c.k.p, c.k.nodes["kcache"], c.kc))
	require.NoError(t, Bind(c.k.p, c.k.nodes["vcache"], c.vc))
	return c
}

// step computes rows of q, k and v, which belong to the given slots and positions.
func (c *cached) step(t testing.TB, q, k, v []float64, slots, positions []int32) []float64 {
	require.NoError(t, c.k.p.SetLive("rows", len(slots)))
	c.k.bind(t, "q", q)
	c.k.bind(t, "k", k)
	c.k.bind(t, "v", v)
	require.NoError(t, Bind(c.k.p, c.k.nodes["slots"], slots))
	require.NoError(t, Bind(c.k.p, c.k.nodes["positions"], positions))
	return c.k.run(t)[0]
}

func TestCachedAttentionIsAttention(t *testing.T) {
	for _, o := range []AttentionOptions{
		{Heads: 6, KVHeads: 2, HeadDim: 8, Scale: 0.3},
		{Heads: 2, KVHeads: 2, HeadDim: 4, Scale: 0.5, SoftCap: 3},
		{Heads: 4, KVHeads: 1, HeadDim: 8, Scale: 0.3, Window: 25},
	} {
		tr := batchOf(o, []int{110, 37}, []int{-1, -1})
		want := runTrial[float32](t, tr)[0]
		c := newCached(t, o, 200, 3, 128)
		// Prefill both sequences but for their last seven tokens, then decode both at once.
		rows := func(name string, list []int) []float64 {
			w := tr.shapes[name][1]
			var x []float64
			for _, r := range list {
				x = append(x, tr.floats[name][r*w:(r+1)*w]...)
			}
			return x
		}
		feed := func(list []int) {
			var slots, positions []int32
			for _, r := range list {
				slot := int32(2)
				if r >= 110 {
					slot = 0
				}
				slots, positions = append(slots, slot), append(positions, tr.ints["positions"][r])
			}
			got := c.step(t, rows("q", list), rows("k", list), rows("v", list), slots, positions)
			for i, r := range list {
				requireClose(t, want[r*o.qWidth():(r+1)*o.qWidth()], got[i*o.qWidth():(i+1)*o.qWidth()], cachedTolerance, "row")
			}
		}
		var prefill []int
		for r := range 147 {
			if r < 103 || r >= 110 && r < 140 {
				prefill = append(prefill, r)
			}
		}
		// All rows at once, neighbours of different sequences at consecutive
		// positions first, then neighbours of one sequence with gaps between.
		var mixed []int
		for i := range 37 {
			mixed = append(mixed, i+110*(i%2))
		}
		for i := range 147 {
			if i >= 110 && i%2 == 0 || i < 37 && i%2 == 1 || i >= 37 && i < 110 {
				mixed = append(mixed, i)
			}
		}
		feed(mixed)
		clear(c.kc)
		clear(c.vc)
		feed(prefill)
		for i := range 7 {
			feed([]int{140 + i, 103 + i})
		}
		c.k.requireNoAllocations(t)
	}
}

func TestCopyCacheContinuesAPromptTwice(t *testing.T) {
	o := AttentionOptions{Heads: 2, KVHeads: 1, HeadDim: 4, Scale: 0.5}
	c := newCached(t, o, 8, 2, 8)
	rng := rand.New(rand.NewPCG(1, 1))
	c.step(t, normal(rng, 24), normal(rng, 12), normal(rng, 12), []int32{0, 0, 0}, []int32{0, 1, 2})
	require.NoError(t, CopyCache(c.kc, 2, 8, 0, 1, 3))
	require.NoError(t, CopyCache(c.vc, 2, 8, 0, 1, 3))
	q, k, v := normal(rng, 8), normal(rng, 4), normal(rng, 4)
	got := c.step(t, append(q, q...), append(k, k...), append(v, v...), []int32{0, 1}, []int32{3, 3})
	require.Equal(t, got[:8], got[8:])
	require.Error(t, CopyCache(c.kc, 2, 8, 0, 2, 3))
	require.Error(t, CopyCache(c.kc, 2, 8, 0, 1, 9))
}

func TestCachedAttentionReportsFaults(t *testing.T) {
	o := AttentionOptions{Heads: 1, KVHeads: 1, HeadDim: 2}
	c := newCached(t, o, 4, 2, 8)
	require.NoError(t, c.k.p.SetLive("rows", 1))
	for _, at := range [][2]int32{{2, 0}, {-1, 0}, {0, 8}, {0, -1}} {
		require.NoError(t, Bind(c.k.p, c.k.nodes["slots"], at[:1]))
		require.NoError(t, Bind(c.k.p, c.k.nodes["positions"], at[1:]))
		require.ErrorContains(t, c.k.p.Run(), "want less than 2 slots and 8 positions")
	}
}

func TestCachedAttentionOfALongSequenceInParts(t *testing.T) {
	const n = 2*cacheSplitKeys + 100
	for _, o := range []AttentionOptions{
		{Heads: 6, KVHeads: 2, HeadDim: 8, Scale: 0.3, SoftCap: 4},
		{Heads: 2, KVHeads: 1, HeadDim: 8, Scale: 0.3, Window: cacheSplitKeys + 50},
		{Heads: attentionRows + 6, KVHeads: 1, HeadDim: 2, Scale: 0.3},
	} {
		tr := batchOf(o, []int{n}, []int{-1})
		want := runTrial[float32](t, tr)[0]
		c := newCached(t, o, 2, 1, n)
		for name, cache := range map[string][]float32{"k": c.kc, "v": c.vc} {
			copy(cache, toFloat32(tr.floats[name]))
		}
		// Both rows are written again; the cache holds what came before.
		for _, row := range []int{n - 1, cacheSplitKeys, cacheSplitKeys - 1, 3} {
			part := func(name string) []float64 {
				w := tr.shapes[name][1]
				x := tr.floats[name][row*w : (row+1)*w]
				return append(append([]float64(nil), x...), x...)
			}
			got := c.step(t, part("q"), part("k"), part("v"), []int32{0, 0}, []int32{int32(row), int32(row)})
			requireClose(t, want[row*o.qWidth():(row+1)*o.qWidth()], got[:o.qWidth()], cachedTolerance, "row")
			require.Equal(t, got[:o.qWidth()], got[o.qWidth():])
		}
		require.True(t, o.KVHeads*2 < cacheSplitTasks)
		c.k.requireNoAllocations(t)
	}
}
