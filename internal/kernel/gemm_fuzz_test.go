package kernel

import "testing"

// FuzzGemm compares products of any shape, at every level, with float64.
func FuzzGemm(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint16(1), uint8(0), uint64(1))
	f.Add(uint8(8), uint8(33), uint16(17), uint8(2), uint64(2))
	f.Add(uint8(15), uint8(31), uint16(400), uint8(13), uint64(3))
	f.Add(uint8(200), uint8(70), uint16(5), uint8(61), uint64(4))
	s := NewScratch(1)
	f.Fuzz(func(t *testing.T, m, n uint8, k uint16, bits uint8, seed uint64) {
		c := gemmCase{m: int(m), n: int(n), k: int(k % 1000), transA: bits&1 != 0, transB: bits&2 != 0, kind: Kind16(bits >> 2 % 3), accumulate: bits&32 != 0, pad: int(bits >> 6)}
		if bits&16 != 0 {
			c.alpha = 1.5
		}
		in := c.operands(seed)
		for _, name := range Levels() {
			restore, err := SetLevel(name)
			if err != nil {
				t.Fatal(err)
			}
			got := in.clone()
			got.RunSerial(s, 0)
			restore()
			checkGemm(t, &in, &got)
		}
	})
}
