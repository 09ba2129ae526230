package gguf

import (
	_ "embed" // for the packed codebooks
	"math/bits"
)

// packedCodebooks holds the codebooks of the IQ types, in the order of the
// variables below: facts of the format, which no rule gives. Of every entry it
// has the level of each number, from the low bits of a byte up: 2 bits for
// three levels, 4 bits for eight.
//
//go:embed codebooks.bin
var packedCodebooks string

// The levels that codebook entries are made of.
var (
	levelsIQ1    = []int8{-1, 0, 1}
	levelsIQ2    = []int8{8, 25, 43}
	levelsIQ3XXS = []int8{4, 12, 20, 28, 36, 44, 52, 62}
	levelsIQ3S   = []int8{1, 3, 5, 7, 9, 11, 13, 15}
)

// The codebooks, unpacked once: entries of eight numbers, or of four for IQ3.
// IQ1_S and IQ1_M share one.
var (
	gridIQ2XXS = unpack[[8]int8](packedCodebooks[:512], levelsIQ2)
	gridIQ2XS  = unpack[[8]int8](packedCodebooks[512:1536], levelsIQ2)
	gridIQ2S   = unpack[[8]int8](packedCodebooks[1536:3584], levelsIQ2)
	gridIQ3XXS = unpack[[4]int8](packedCodebooks[3584:4096], levelsIQ3XXS)
	gridIQ3S   = unpack[[4]int8](packedCodebooks[4096:5120], levelsIQ3S)
	gridIQ1    = unpack[[8]int8](packedCodebooks[5120:], levelsIQ1)
)

func unpack[T [4]int8 | [8]int8](packed string, levels []int8) []T {
	// Both kinds of entry take two bytes.
	grid := make([]T, len(packed)/2)
	perByte := len(grid[0]) / 2
	width := 8 / perByte
	for i := range grid {
		for j := range perByte {
			mask := byte(1)<<width - 1
			grid[i][j] = levels[packed[2*i]>>(j*width)&mask]
			grid[i][perByte+j] = levels[packed[2*i+1]>>(j*width)&mask]
		}
	}
	return grid
}

// evenSigns completes seven signs, 1 for minus, by an eighth that makes the count
// of minuses even.
func evenSigns(seven uint32) byte {
	s := byte(seven & 127)
	return s | byte(bits.OnesCount8(s)&1)<<7
}
