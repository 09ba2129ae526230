package tensor

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchmarkKernels reports the time of each op of a program.
func benchmarkKernels(b *testing.B, k compiled[float32]) {
	k.run(b)
	for i := range k.p.ins {
		b.Run(fmt.Sprintf("%d.%s", i, k.p.ins[i].name), func(b *testing.B) {
			for b.Loop() {
				k.p.ins[i].kernel(&k.p.ins[i].call)
			}
		})
	}
}

func BenchmarkAttention(b *testing.B) {
	o := AttentionOptions{Heads: 9, KVHeads: 3, HeadDim: 64}
	o.Scale = 0.125
	for name, lengths := range map[string][]int{"7x150": {150, 150, 150, 150, 150, 150, 150}, "1x4096": {4096}, "1x1024": {1024}} {
		b.Run(name, func(b *testing.B) {
			prefix := make([]int, len(lengths))
			for i := range prefix {
				prefix[i] = -1
			}
			tr := batchOf(o, lengths, prefix)
			k := compileTrial[float32](b, tr, "q", "k", "v")
			k.bind(b, "seed0", normal(rand.New(rand.NewPCG(3, 4)), len(tr.floats["q"])))
			benchmarkKernels(b, k)
		})
	}
}

func BenchmarkRoPE(b *testing.B) {
	const n = 1024
	tr := trial{floats: map[string][]float64{"x": make([]float64, n*576)}, ints: map[string][]int32{"positions": make([]int32, n)}, shapes: map[string][]int{"x": {n, 576}}}
	o, _ := RoPEScaling{}.Options(64)
	tr.build = func(in map[string]*Node) Nodes { return Nodes{RoPE(in["x"], in["positions"], o)} }
	benchmarkKernels(b, compileTrial[float32](b, tr))
}

func BenchmarkTokenLogProb(b *testing.B) {
	tr := logProbTrial(1024, 1024, 576, 49152, LogProbOptions{}, outLogProb)
	for _, wrt := range [][]string{nil, {"h"}, {"h", "head"}} {
		b.Run(fmt.Sprint(wrt), func(b *testing.B) {
			k := compileTrial[float32](b, tr, wrt...)
			if wrt != nil {
				k.bind(b, "seed0", normal(rand.New(rand.NewPCG(3, 4)), 1024))
			}
			benchmarkKernels(b, k)
		})
	}
}

func BenchmarkCachedAttention(b *testing.B) {
	o := AttentionOptions{Heads: 9, KVHeads: 3, HeadDim: 64}
	for _, rows := range []int{1, 16} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			c := newCached(b, o, rows, 16, 1024)
			slots, positions := make([]int32, rows), make([]int32, rows)
			for i := range slots {
				slots[i], positions[i] = int32(i), 1000
			}
			c.step(b, make([]float64, rows*576), make([]float64, rows*192), make([]float64, rows*192), slots, positions)
			benchmarkKernels(b, c.k)
		})
	}
}
