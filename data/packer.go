package data

import (
	"math"
	"slices"
)

// Packer distributes items of different lengths over bins of one capacity with
// best-fit decreasing: the longest item first, each into the fullest bin with
// room for it. It needs at most 11/9 of the least possible number of bins, plus
// four (Johnson 1973), where the number of items in a bin is not what limits it.
// Time is n·log n and the result depends on the arguments alone. The zero value
// is ready for use and its memory is reused. It is not safe for concurrent use.
type Packer struct {
	items []uint64 // capacity-length above, index below: ascending is longest first, then by index
	open  []uint64 // free room above, bin below, ascending: the first that is large enough is the fullest
	load  []int32  // items in each bin
	bins  []int32  // (n) bin of each item

	lengths []int // (n) of PackFunc
}

// PackFunc is Pack for n items of which length tells the lengths, in their order.
func (p *Packer) PackFunc(n int, length func(item int) int, capacity, most int) ([]int32, int) {
	p.lengths = p.lengths[:0]
	for i := range n {
		p.lengths = append(p.lengths, length(i))
	}
	return p.Pack(p.lengths, capacity, most)
}

// Pack returns the bin of each item, numbered from 0 in the order of their
// first items, and the number of bins. A bin holds at most capacity in length
// and most items; most ≤ 0 means any number. An item longer than capacity gets a
// bin of its own. The slice is valid until the next call.
func (p *Packer) Pack(lengths []int, capacity, most int) (bins []int32, n int) {
	p.items, p.open, p.load = p.items[:0], p.open[:0], p.load[:0]
	p.bins = slices.Grow(p.bins[:0], len(lengths))[:len(lengths)]
	for i, length := range lengths {
		p.items = append(p.items, uint64(max(capacity-length, 0))<<32|uint64(i))
	}
	slices.Sort(p.items)
	for _, item := range p.items {
		i := indexOf(item)
		p.bins[i] = p.place(uint64(min(lengths[i], capacity)), uint64(capacity), most)
	}
	return p.bins, len(p.load)
}

// place puts one item into the fullest bin with room and returns the bin.
func (p *Packer) place(length, capacity uint64, most int) int32 {
	at, _ := slices.BinarySearch(p.open, length<<32)
	var bin, free uint64
	if at < len(p.open) {
		bin, free = uint64(indexOf(p.open[at])), p.open[at]>>32
		p.open = slices.Delete(p.open, at, at+1)
		p.load[bin]++
	} else {
		bin, free = uint64(len(p.load)), capacity
		p.load = append(p.load, 1)
	}
	if most > 0 && int(p.load[bin]) >= most {
		return int32(bin)
	}
	key := (free-length)<<32 | bin
	at, _ = slices.BinarySearch(p.open, key)
	p.open = slices.Insert(p.open, at, key)
	return int32(bin)
}

// indexOf returns the lower half of a sorting key.
func indexOf(key uint64) int { return int(key & math.MaxUint32) }
