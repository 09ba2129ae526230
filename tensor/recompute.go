package tensor

import (
	"slices"
	"sort"
)

// segmentOf numbers the stretch between two checkpoints that n lies in; 0 after
// the last checkpoint and without checkpoints.
func (c *compiler) segmentOf(n *Node) int {
	cp := c.o.Checkpoints
	k := sort.Search(len(cp), func(i int) bool { return cp[i].ID() >= n.ID() })
	if k == len(cp) {
		return 0
	}
	return k + 1
}

// checkCheckpoints refuses checkpoints that are not in the order of the graph.
func (c *compiler) checkCheckpoints() {
	for i, n := range c.o.Checkpoints {
		if n == nil {
			fail("checkpoint %d is nil", i)
		}
		if i > 0 && n.ID() <= c.o.Checkpoints[i-1].ID() {
			fail("checkpoint %d was made before checkpoint %d, want the order of the layers", i, i-1)
		}
	}
}

// recompute redirects the backward pass to values computed afresh just before
// their first use there, for every value inside a segment that is not needed by
// a later segment of the forward pass. Ops with state, Gorgonia's own ops and
// outputs that the caller asked for are kept, and so is the last segment.
func (c *compiler) recompute() {
	r := &recomputation{c: c, defined: map[int]int{}, fresh: map[int]int{}, keep: map[int]bool{}, last: -1}
	r.survey()
	var list []instruction
	for i := range c.ins {
		in := c.ins[i]
		if i > r.last {
			in.in = append([]int(nil), in.in...)
			for k, v := range in.in {
				in.in[k] = r.ensure(v, &list)
			}
		}
		list = append(list, in)
	}
	c.ins = list
	c.dropUnread()
}

// dropUnread forgets outputs that nobody reads, and instructions without any
// output left: of an op with several outputs the backward pass may need one
// only, which is often the cheap one.
func (c *compiler) dropUnread() {
	reads := make([]int, len(c.buffers))
	for i := range c.ins {
		for _, v := range c.ins[i].in {
			reads[c.values[v].buf]++
		}
	}
	for i := len(c.ins) - 1; i >= 0; i-- {
		in := &c.ins[i]
		needed := in.spec != nil && in.spec.Stateful
		for k, v := range in.out {
			if v < 0 {
				continue
			}
			if b := c.values[v].buf; reads[b] > 0 || c.buffers[b].pinned || c.buffers[b].external {
				needed = true
			} else {
				in.out[k] = -1
			}
		}
		if needed {
			continue
		}
		for _, v := range in.in {
			reads[c.values[v].buf]--
		}
		in.out = nil
	}
	c.ins = slices.DeleteFunc(c.ins, func(in instruction) bool { return in.out == nil })
	for i := range c.ins {
		if c.ins[i].again {
			c.again++
		}
	}
}

type recomputation struct {
	c       *compiler
	defined map[int]int // value -> instruction, for values inside a segment
	fresh   map[int]int // value -> its recomputed copy
	keep    map[int]bool
	last    int // last instruction of the forward pass that lies in a segment
}

// survey finds what lies in a segment and what must be kept all the same.
func (r *recomputation) survey() {
	for i := range r.c.ins {
		in := &r.c.ins[i]
		if in.segment == 0 {
			continue
		}
		r.last = i
		// The backward pass begins with the last stretch: to free it would save
		// nothing.
		kept := in.spec == nil || in.spec.Stateful || in.segment == len(r.c.o.Checkpoints)
		for _, v := range in.out {
			if v < 0 {
				continue
			}
			r.defined[v] = i
			if kept || r.c.buffers[r.c.values[v].buf].pinned {
				r.keep[v] = true
			}
		}
	}
	for i := 0; i <= r.last; i++ {
		in := &r.c.ins[i]
		for _, v := range in.in {
			if d, ok := r.defined[v]; ok && r.c.ins[d].segment != in.segment {
				r.keep[v] = true
			}
		}
	}
}

// ensure returns a value equal to v that is live in the backward pass.
func (r *recomputation) ensure(v int, list *[]instruction) int {
	d, inside := r.defined[v]
	if !inside || r.keep[v] {
		return v
	}
	if f, ok := r.fresh[v]; ok {
		return f
	}
	again := r.c.ins[d]
	again.segment, again.again = 0, true
	again.in = append([]int(nil), again.in...)
	again.out = append([]int(nil), again.out...)
	for k, x := range again.in {
		again.in[k] = r.ensure(x, list)
	}
	for k, x := range again.out {
		if x < 0 {
			continue
		}
		val := r.c.values[x]
		r.c.buffers = append(r.c.buffers, r.c.buffers[val.buf])
		val.buf = len(r.c.buffers) - 1
		r.c.values = append(r.c.values, val)
		again.out[k] = len(r.c.values) - 1
		r.fresh[x] = again.out[k]
	}
	if again.scratch >= 0 {
		again.scratch = r.c.newScratch(r.c.buffers[again.scratch].size)
	}
	*list = append(*list, again)
	return r.fresh[v]
}
