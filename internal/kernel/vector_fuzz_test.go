package kernel

import (
	"encoding/binary"
	"math"
	"testing"
)

// FuzzOperationLevels feeds any bit patterns to every element-wise kernel:
// avx2 and avx512 must agree on every bit, NaN payloads excepted, and on which
// elements are NaN.
func FuzzOperationLevels(f *testing.F) {
	seed := func(values ...float32) {
		var raw []byte
		for range 12 {
			for _, v := range values {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
			}
		}
		f.Add(raw)
	}
	inf := float32(math.Inf(1))
	seed(0, 1, -1, 88.7, -87.3, -87.4, 89, -103)
	seed(inf, 2, -inf, float32(math.NaN()), 1e38, -1e38, 1e-38, -1e-45)
	seed(0.624, 0.626, 4, -4, 100, -100, 101, 65520)
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := min(len(raw)/24, 200)
		values := make([]float32, 6*n)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		for _, o := range operations() {
			var first [][]float32
			for _, name := range Levels()[1:] {
				restore, err := SetLevel(name)
				if err != nil {
					t.Fatal(err)
				}
				out := o.run(values, n)
				restore()
				if first == nil {
					first = out
				}
				sameBits(t, o.name, first, out)
			}
		}
	})
}

// run applies the operation to copies of the first values.
func (o operation) run(values []float32, n int) (out [][]float32) {
	var in [][]float32
	at := 0
	take := func() []float32 {
		at += n
		return append([]float32(nil), values[at-n:at]...)
	}
	for range o.ins {
		in = append(in, take())
	}
	for range o.out {
		out = append(out, take())
	}
	o.run32(out, in)
	return out
}

func sameBits(t *testing.T, name string, a, b [][]float32) {
	t.Helper()
	for q := range a {
		for i, v := range a[q] {
			w := b[q][i]
			if math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
				t.Fatalf("%s: output %d element %d: got %v and %v", name, q, i, v, w)
			}
		}
	}
}
