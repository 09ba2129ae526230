package tensor

import (
	"fmt"
	"math"
	"time"
	"unsafe"
)

// Timing is the time that the instructions of one op took, summed over runs.
type Timing struct {
	Op    string
	Calls int
	Total time.Duration
}

// runDebug is Run with the checks of Debug.
func (p *Program) runDebug() error {
	if p.debug.Poison {
		for i := range p.arena.memory {
			p.arena.memory[i] = 0xff // NaN in every float type, -1 in int32
		}
	}
	if p.debug.Timing && p.timings == nil {
		p.timings = make([]time.Duration, len(p.ins))
	}
	for p.at = range p.ins {
		in := &p.ins[p.at]
		if p.debug.Timing {
			start := time.Now()
			in.kernel(&in.call)
			p.timings[p.at] += time.Since(start)
		} else {
			in.kernel(&in.call)
		}
		if p.debug.WatchNaN {
			if err := checkFinite(in); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkFinite(in *instruction) error {
	for k := range in.call.Out {
		v := &in.call.Out[k]
		if !v.Wanted() {
			continue
		}
		bad := -1
		switch v.Dtype {
		case Float32:
			bad = firstNotFinite(Slice[float32](v))
		case Float64:
			bad = firstNotFinite(Slice[float64](v))
		}
		if bad >= 0 {
			return fmt.Errorf("tensor: op %s, output %d, element %d of shape %v: %w", in.name, k, bad, v.Shape, ErrNotFinite)
		}
	}
	return nil
}

func firstNotFinite[T Float](s []T) int {
	for i, x := range s {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return i
		}
	}
	return -1
}

// Timings sums the time of the runs so far by op, in the order of first use. It
// is empty unless the program was compiled with Debug.Timing.
func (p *Program) Timings() []Timing {
	var list []Timing
	at := map[string]int{}
	for i, d := range p.timings {
		k, ok := at[p.ins[i].name]
		if !ok {
			k = len(list)
			at[p.ins[i].name] = k
			list = append(list, Timing{Op: p.ins[i].name})
		}
		list[k].Calls++
		list[k].Total += d
	}
	return list
}

// bytesOf is n bytes of memory; nil for none.
func bytesOf(ptr unsafe.Pointer, n int) []byte {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(ptr), n)
}
