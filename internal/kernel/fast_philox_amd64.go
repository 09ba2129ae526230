//go:build amd64 && !purego

package kernel

import "math"

// Which block of a group each element of a register works on; see
// _gen/philox.go.
var (
	philoxLanesAVX2   = [16]uint32{0, 2, 4, 6, 1, 3, 5, 7}
	philoxLanesAVX512 = [16]uint32{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15}
)

// fastPhilox fills the front of dst with the numbers of whole groups of blocks,
// the first of which has counter ctr, and returns how many it wrote.
func fastPhilox(dst []float32, key uint64, ctr [4]uint32) int {
	l := currentLevel()
	blocks := 16
	if l == levelAVX2 {
		blocks = 8
	}
	// The low word of the counter must not overflow.
	n := min(len(dst)/(4*blocks), int((math.MaxUint32-ctr[0])/uint32(blocks)))
	if l == levelGeneric || n == 0 {
		return 0
	}
	var keys [20]uint32
	k0, k1 := uint32(key), uint32(key>>32)
	for i := 0; i < len(keys); i += 2 {
		keys[i], keys[i+1] = k0, k1
		k0 += philoxW0
		k1 += philoxW1
	}
	if l == levelAVX2 {
		philoxAVX2(&dst[0], &keys, &ctr, &philoxLanesAVX2, n)
	} else {
		philoxAVX512(&dst[0], &keys, &ctr, &philoxLanesAVX512, n)
	}
	return n * 4 * blocks
}

func fastDrop(dst, x, u []float32, p, scale float32) bool {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2:
		dropAVX2(&dst[0], &x[0], &u[0], len(x), p, scale)
	default:
		dropAVX512(&dst[0], &x[0], &u[0], len(x), p, scale)
	}
	return true
}

func fastDropAdd(dst, x, u []float32, p, scale float32) bool {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2:
		dropAddAVX2(&dst[0], &x[0], &u[0], len(x), p, scale)
	default:
		dropAddAVX512(&dst[0], &x[0], &u[0], len(x), p, scale)
	}
	return true
}
