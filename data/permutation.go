package data

import (
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Permutation writes a permutation of 0…n-1 into dst, grown when needed, and
// returns it. It depends on n, seed and epoch alone: Fisher and Yates' shuffle
// (Durstenfeld 1964) driven by PCG-DXSM seeded with (seed, epoch) and Lemire's
// unbiased bounded draw (2019, arXiv:1805.10941), both fixed here so that the
// order survives changes of the standard library's helpers.
func Permutation(dst []int32, n int, seed, epoch uint64) []int32 {
	dst = slices.Grow(dst[:0], n)[:n]
	for i := range dst {
		dst[i] = int32(i)
	}
	var pcg rand.PCG
	pcg.Seed(seed, epoch)
	for i := n - 1; i > 0; i-- {
		j := below(&pcg, uint64(i+1))
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

// below draws a number in [0, n) without bias.
func below(pcg *rand.PCG, n uint64) uint64 {
	hi, lo := bits.Mul64(pcg.Uint64(), n)
	if lo < n {
		for threshold := -n % n; lo < threshold; {
			hi, lo = bits.Mul64(pcg.Uint64(), n)
		}
	}
	return hi
}
