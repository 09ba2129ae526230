package gguf_test

import (
	"fmt"
	"log"

	"github.com/posttrain/posttrain/tensor/gguf"
)

// A model's hyper-parameters are metadata; its weights are decoded on demand.
func ExampleOpen() {
	f, err := gguf.Open("qwen2-q4_1.gguf")
	if err != nil {
		log.Print(err)
		return
	}
	defer f.Close()
	arch, err := f.String("general.architecture")
	if err != nil {
		log.Print(err)
		return
	}
	blocks, err := f.Uint(arch + ".block_count")
	if err != nil {
		log.Print(err)
		return
	}
	q, err := f.Tensor("blk.0.attn_q.weight")
	if err != nil {
		log.Print(err)
		return
	}
	weights, err := q.Float32()
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(arch, blocks, q.Type(), q.Shape(), len(weights))
	// prints "qwen2 2 Q4_1 [64 64] 4096" for a small model
}

// Blocks can be decoded without a file.
func ExampleDequantize() {
	block := make([]byte, gguf.Q8_0.BlockSize())
	block[1] = 0x3c // scale 1 as a half float
	block[2], block[3] = 5, 0xff
	numbers := make([]float32, gguf.Q8_0.BlockLen())
	if err := gguf.Dequantize(numbers, gguf.Q8_0, block); err != nil {
		log.Print(err)
		return
	}
	fmt.Println(numbers[:3])
	// Output: [5 -1 0]
}
