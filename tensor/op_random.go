package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// Purposes of randomness inside ops; sampling uses others.
const (
	purposeDropout = 0x64726f70 // "drop"
	purposeNoise   = 0x6e6f6973 // "nois"
)

// uniform fills dst with numbers in [0, 1) for the positions from at on. They
// depend on the run's seed and step, on salt and purpose and on the position,
// and on nothing else.
func (r *Random) uniform(dst []float32, salt uint64, purpose uint32, at int) {
	key := mix(r.Seed ^ mix(salt) ^ mix(r.Step>>32+1))
	kernel.UniformFill(dst, key, purpose, uint32(r.Step), uint64(at))
}

// mix is the finaliser of SplitMix64 (Steele et al. 2014): a bijection that
// spreads neighbouring numbers.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// drawBlock is the number of random numbers drawn at a time.
const drawBlock = 1024
