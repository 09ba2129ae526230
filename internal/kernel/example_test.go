package kernel_test

import (
	"fmt"

	"github.com/posttrain/posttrain/internal/kernel"
)

// A linear layer on two tokens: y = x·Wᵀ with W stored by output.
func ExampleGemm() {
	pool := kernel.NewPool(0)
	defer pool.Close()
	scratch := kernel.NewScratch(pool.Workers())
	y := make([]float32, 2*3)
	g := kernel.Gemm{
		M: 2, N: 3, K: 2,
		A: []float32{1, 2, 3, 4}, LDA: 2,
		B: []float32{1, 0, 0, 1, 1, 1}, LDB: 2, TransB: true,
		C: y, LDC: 3,
	}
	g.Run(pool, scratch)
	fmt.Println(y)
	// Output: [1 2 3 3 4 7]
}

func ExampleSoftmax() {
	x := []float64{0, 0, 0, 0}
	kernel.Softmax(x, x)
	fmt.Println(x)
	// Output: [0.25 0.25 0.25 0.25]
}
