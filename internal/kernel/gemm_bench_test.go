package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchGemm reports the rate of a product on all cores.
func benchGemm(b *testing.B, g Gemm) {
	pool := NewPool(0)
	defer pool.Close()
	s := NewScratch(pool.Workers())
	g.Run(pool, s)
	b.ResetTimer()
	for range b.N {
		g.Run(pool, s)
	}
	flops := 2 * float64(g.M) * float64(g.N) * float64(g.K) * float64(b.N)
	b.ReportMetric(flops/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// layer makes the three products of a linear layer in→out on tokens tokens:
// forward x·Wᵀ, input gradient dy·W, weight gradient dyᵀ·x.
func layer(kind string, tokens, in, out int) Gemm {
	r := rand.New(rand.NewPCG(1, 2))
	x, dy, w := randoms(r, tokens*in), randoms(r, tokens*out), randoms(r, in*out)
	switch kind {
	case "dx":
		return Gemm{M: tokens, N: in, K: out, A: dy, LDA: out, B: w, LDB: in, C: x, LDC: in}
	case "dW":
		return Gemm{M: out, N: in, K: tokens, A: dy, LDA: out, TransA: true, B: x, LDB: in, C: w, LDC: in, Accumulate: true, Alpha: 1e-6}
	}
	return Gemm{M: tokens, N: out, K: in, A: x, LDA: in, B: w, LDB: in, TransB: true, C: dy, LDC: out}
}

func BenchmarkGemm(b *testing.B) {
	for _, s := range [][3]int{{512, 896, 4864}, {1024, 1024, 1024}, {2048, 2048, 2048}, {1024, 896, 4864}, {1024, 896, 896}, {1024, 640, 2048}} {
		for _, kind := range []string{"forward", "dx", "dW"} {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", kind, s[0], s[1], s[2]), func(b *testing.B) { benchGemm(b, layer(kind, s[0], s[1], s[2])) })
		}
	}
}

// BenchmarkGemmLoRA measures the thin products of an adapter of rank 16.
func BenchmarkGemmLoRA(b *testing.B) {
	for _, kind := range []string{"forward", "dx", "dW"} {
		for _, s := range [][2]int{{896, 16}, {16, 896}} {
			b.Run(fmt.Sprintf("%s/1024x%dx%d", kind, s[0], s[1]), func(b *testing.B) { benchGemm(b, layer(kind, 1024, s[0], s[1])) })
		}
	}
}

// BenchmarkGemmDecode measures the rate at which weights are read for few
// tokens.
func BenchmarkGemmDecode(b *testing.B) {
	for _, s := range [][2]int{{65536, 896}, {8192, 4864}} {
		benchDecode(b, s[0], s[1])
	}
}

func benchDecode(b *testing.B, n, k int) {
	r := rand.New(rand.NewPCG(1, 2))
	w := randoms(r, n*k)
	w16 := make([]uint16, n*k)
	F32ToBF16(w16, w)
	for _, m := range []int{1, 4, 8} {
		for kind, name := range []string{None: "f32", BF16: "bf16", F16: "f16"} {
			kind := Kind16(kind)
			b.Run(fmt.Sprintf("%s/%dx%d/batch%d", name, n, k, m), func(b *testing.B) {
				g := Gemm{M: m, N: n, K: k, A: randoms(r, m*k), LDA: k, B: w, B16: w16, BKind: kind, LDB: k, TransB: true, C: make([]float32, m*n), LDC: n}
				b.SetBytes(int64(n * k * []int{4, 2, 2}[kind]))
				benchGemm(b, g)
			})
		}
	}
}

// BenchmarkGemmAttention measures the products of one attention block of 64
// query rows on one core: scores q·kᵀ, output p·v, and the gradients of k
// and v, pᵀ·do.
func BenchmarkGemmAttention(b *testing.B) {
	const rows, keys, dim = 64, 1024, 64
	r := rand.New(rand.NewPCG(1, 2))
	q, kv, p := randoms(r, rows*dim), randoms(r, keys*dim), randoms(r, rows*keys)
	for name, g := range map[string]Gemm{
		"scores": {M: rows, N: keys, K: dim, A: q, LDA: dim, B: kv, LDB: dim, TransB: true, C: p, LDC: keys},
		"output": {M: rows, N: dim, K: keys, A: p, LDA: keys, B: kv, LDB: dim, C: q, LDC: dim},
		"dv":     {M: keys, N: dim, K: rows, A: p, LDA: keys, TransA: true, B: q, LDB: dim, C: kv, LDC: dim},
	} {
		b.Run(name, func(b *testing.B) {
			s := NewScratch(1)
			for range b.N {
				g.RunSerial(s, 0)
			}
			b.ReportMetric(2*rows*keys*dim*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
