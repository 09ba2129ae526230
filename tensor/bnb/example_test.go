package bnb_test

import (
	"fmt"

	"github.com/posttrain/posttrain/tensor/bnb"
)

// Encode four weights in four bits and decode them again.
func Example() {
	four, err := bnb.Quantize([]float32{0.5, -0.25, 0.1, 0}, bnb.NF4, 64)
	if err != nil {
		fmt.Println(err)
		return
	}
	back := make([]float32, four.Len)
	if err := four.Float32(back); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d bytes, scale %g: %.3f\n", len(four.Codes), four.Absmax[0], back)
	// Output: 2 bytes, scale 0.5: [0.500 -0.263 0.080 0.000]
}
