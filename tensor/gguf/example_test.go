package gguf_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

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

// A file is described first and then filled, tensor by tensor.
func ExampleCreate() {
	dir, err := os.MkdirTemp("", "gguf")
	if err != nil {
		log.Print(err)
		return
	}
	defer os.RemoveAll(dir)
	w, err := gguf.Create(filepath.Join(dir, "m.gguf"),
		[]gguf.Pair{{Key: "general.architecture", Value: "none"}, {Key: "none.block_count", Value: uint32(1)}},
		[]gguf.Info{{Name: "w", Type: gguf.Q8_0, Shape: []int{2, 32}}})
	if err != nil {
		log.Print(err)
		return
	}
	defer w.Abort()
	numbers := make([]float32, 64)
	for i := range numbers {
		numbers[i] = float32(i%32) - 15.75
	}
	loss, err := w.WriteFloat32("w", numbers)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Printf("%d numbers moved by %.2f %% on average\n", loss.Count, 100*loss.Relative())
	if err := w.Close(); err != nil {
		log.Print(err)
	}
	// Output: 64 numbers moved by 0.39 % on average
}
