package kernel

import "math/bits"

const (
	philoxM0, philoxM1 = 0xD2511F53, 0xCD9E8D57
	philoxW0, philoxW1 = 0x9E3779B9, 0xBB67AE85
)

// Philox is the counter-based generator Philox4x32-10 (Salmon et al. 2011,
// "Parallel random numbers: as easy as 1, 2, 3"): four random words that
// depend on nothing but key and counter. The low half of key is the first key
// word.
func Philox(key uint64, ctr [4]uint32) [4]uint32 {
	k0, k1 := uint32(key), uint32(key>>32)
	for range 10 {
		h0, l0 := bits.Mul32(philoxM0, ctr[0])
		h1, l1 := bits.Mul32(philoxM1, ctr[2])
		ctr = [4]uint32{h1 ^ ctr[1] ^ k0, l1, h0 ^ ctr[3] ^ k1, l0}
		k0 += philoxW0
		k1 += philoxW1
	}
	return ctr
}

// Uniform returns a number in [0, 1), a multiple of 2⁻²⁴, that depends on
// nothing but its arguments. Purpose separates the uses of randomness in a
// program, step counts optimizer or decoding steps, position counts draws
// within a step.
func Uniform(seed uint64, purpose, step uint32, position uint64) float32 {
	block := Philox(seed, uniformCounter(purpose, step, position/4))
	return unitInterval(block[position%4])
}

// UniformFill sets dst[i] to Uniform(seed, purpose, step, position+i), four
// numbers a generator call. All instruction levels give the same bits.
func UniformFill(dst []float32, seed uint64, purpose, step uint32, position uint64) {
	for i := 0; i < len(dst); {
		at := position + uint64(i)
		if at%4 == 0 {
			if n := fastPhilox(dst[i:], seed, uniformCounter(purpose, step, at/4)); n > 0 {
				i += n
				continue
			}
		}
		block := Philox(seed, uniformCounter(purpose, step, at/4))
		for lane := at % 4; lane < 4 && i < len(dst); lane++ {
			dst[i] = unitInterval(block[lane])
			i++
		}
	}
}

// Drop sets dst to scale·x where u ≥ p and to 0 elsewhere: dropout at rate p for
// uniform numbers u. dst may be x. All instruction levels give the same bits.
func Drop[T Float](dst, x []T, u []float32, p float32, scale T) {
	mustLen("Drop", len(x), len(dst), len(u))
	if is32[T]() && fastDrop(f32(dst), f32(x), u, p, float32(scale)) {
		return
	}
	for i, v := range x {
		y := T(0)
		if u[i] >= p {
			y = scale * v
		}
		dst[i] = y
	}
}

// DropAdd adds scale·x to dst where u ≥ p. All instruction levels give the same
// bits.
func DropAdd[T Float](dst, x []T, u []float32, p float32, scale T) {
	mustLen("DropAdd", len(x), len(dst), len(u))
	if is32[T]() && fastDropAdd(f32(dst), f32(x), u, p, float32(scale)) {
		return
	}
	for i, v := range x {
		if u[i] >= p {
			dst[i] += T(scale * v)
		}
	}
}

func uniformCounter(purpose, step uint32, block uint64) [4]uint32 {
	return [4]uint32{uint32(block), uint32(block >> 32), step, purpose}
}

func unitInterval(word uint32) float32 { return float32(word>>8) * (1.0 / (1 << 24)) }
