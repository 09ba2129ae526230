package kernel

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkElementwise reports millions of elements a second on one core,
// operands in the second-level cache; AdamW streams from memory.
func BenchmarkElementwise(b *testing.B) {
	const n = 16 << 10
	r := rand.New(rand.NewPCG(1, 2))
	x, y, z, d, e := randoms(r, n), randoms(r, n), randoms(r, n), make([]float32, n), make([]float32, n)
	for name, f := range map[string]func(){
		"Exp":                func() { Exp(d, x) },
		"Softmax":            func() { Softmax(d, x) },
		"Max":                func() { Max(x) },
		"Sum":                func() { Sum(x) },
		"SiLUGLU":            func() { GLU(d, x, y, ActSiLU) },
		"GELUTanhGLU":        func() { GLU(d, x, y, ActGELUTanh) },
		"GELUErfGLU":         func() { GLU(d, x, y, ActGELUErf) },
		"SiLUGLUBackward":    func() { GLUBackward(d, e, x, y, z, ActSiLU) },
		"RMSNormRow":         func() { RMSNormRow(d, x, y, 1e-6, 0) },
		"RMSNormRowBackward": func() { RMSNormRowBackward(d, e, x, y, z, 0.5, 0) },
		"LayerNormRow":       func() { LayerNormRow(d, x, y, z, 1e-6) },
		"Axpy":               func() { Axpy(d, 0.5, x) },
		"UniformFill":        func() { UniformFill(d, 1, 2, 3, 0) },
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				f()
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e6, "Melem/s")
		})
	}
}

func BenchmarkAdamW(b *testing.B) {
	const n = 8 << 20
	r := rand.New(rand.NewPCG(1, 2))
	p, g, m, v := randoms(r, n), randoms(r, n), randoms(r, n), randoms(r, n)
	Mul(v, v, v)
	c := AdamWCoeff{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 1, Step: 1}
	b.ResetTimer()
	for range b.N {
		AdamW(p, g, m, v, c)
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e6, "Melem/s")
}
