package tensor

import (
	"fmt"
	"sort"
)

// Plan is what a program needs, in bytes and counts. Matrix products reorder
// their operands in up to 32 MiB besides, once an arena.
type Plan struct {
	Instructions int
	Arena        int // planned memory for all intermediate values and scratch
	MaxLive      int // lower bound of Arena: the most that is live at once
	Sum          int // what it would take without reuse
	Parameters   int // stored values of the parameters that the program reads
	Gradients    int // gradient accumulators that the program adds to
	Inputs       int // other inputs at full capacity, in the caller's memory
	InPlace      int // values that took over an operand's memory
	Recomputed   int // instructions run again in the backward pass
}

// Total is all memory of the plan in bytes.
func (p Plan) Total() int { return p.Arena + p.Parameters + p.Gradients + p.Inputs }

// String states the plan with sizes in MiB.
func (p Plan) String() string {
	mib := func(n int) float64 { return float64(n) / (1 << 20) }
	return fmt.Sprintf("%.1f MiB: parameters %.1f, gradients %.1f, inputs %.1f, arena %.1f (at least %.1f, %.1f without reuse); %d instructions, %d in place, %d recomputed",
		mib(p.Total()), mib(p.Parameters), mib(p.Gradients), mib(p.Inputs), mib(p.Arena), mib(p.MaxLive), mib(p.Sum), p.Instructions, p.InPlace, p.Recomputed)
}

// lifetimes sets the first and last use of every buffer.
func (c *compiler) lifetimes() {
	for i := range c.ins {
		in := &c.ins[i]
		for _, v := range in.out {
			if v >= 0 {
				c.touch(c.values[v].buf, i)
			}
		}
		for _, v := range in.in {
			c.touch(c.values[v].buf, i)
		}
		if in.scratch >= 0 {
			c.touch(in.scratch, i)
		}
	}
	for i := range c.buffers {
		if c.buffers[i].pinned {
			c.buffers[i].end = len(c.ins)
		}
	}
}

func (c *compiler) touch(b, at int) {
	if c.buffers[b].def < 0 {
		c.buffers[b].def = at
	}
	c.buffers[b].end = at
}

// mergeInPlace lets an output take over the memory of an operand that dies.
func (c *compiler) mergeInPlace() {
	for i := range c.ins {
		in := &c.ins[i]
		for k, v := range in.out {
			if v < 0 || in.inPlace[k] < 0 {
				continue
			}
			for _, operand := range c.candidates(in, k) {
				if c.takeOver(in, i, v, operand) {
					c.reused++
					break
				}
			}
		}
	}
}

// candidates lists the operands whose memory output k may take: for a sum,
// which is symmetric, either.
func (c *compiler) candidates(in *instruction, k int) []int {
	if in.name == "add" && len(in.in) == 2 {
		return []int{in.inPlace[k], 1 - in.inPlace[k]}
	}
	return []int{in.inPlace[k]}
}

func (c *compiler) takeOver(in *instruction, at, out, operand int) bool {
	src, dst := c.values[in.in[operand]].buf, c.values[out].buf
	s, d := &c.buffers[src], &c.buffers[dst]
	if s.external || d.external || s.pinned || s.end != at || s.size != d.size || src == dst {
		return false
	}
	uses := 0
	for _, v := range in.in {
		if c.values[v].buf == src {
			uses++
		}
	}
	for _, v := range in.out { // another output may have taken it already
		if v >= 0 && v != out && c.values[v].buf == src {
			uses++
		}
	}
	if uses > 1 {
		return false
	}
	s.end, s.pinned = d.end, d.pinned
	for v := range c.values {
		if c.values[v].buf == dst {
			c.values[v].buf = src
		}
	}
	d.size, d.def = 0, -1
	return true
}

// place assigns arena offsets: largest first, each into the smallest gap that
// is free during its lifetime.
func (c *compiler) place() Plan {
	plan := Plan{Instructions: len(c.ins), InPlace: c.reused, Recomputed: c.again}
	c.countExternal(&plan)
	var todo []int
	delta := make([]int, len(c.ins)+2)
	for i := range c.buffers {
		b := &c.buffers[i]
		if b.external || b.size == 0 || b.def < 0 {
			continue
		}
		todo = append(todo, i)
		plan.Sum += b.size
		delta[b.def] += b.size
		delta[b.end+1] -= b.size
	}
	live := 0
	for _, d := range delta {
		live += d
		plan.MaxLive = max(plan.MaxLive, live)
	}
	sort.SliceStable(todo, func(a, b int) bool { return c.buffers[todo[a]].size > c.buffers[todo[b]].size })
	placed := make([]int, 0, len(todo)) // by offset
	for _, i := range todo {
		b := &c.buffers[i]
		if c.o.Debug.NoReuse {
			b.off = plan.Arena
		} else {
			b.off = c.bestGap(placed, b)
		}
		plan.Arena = max(plan.Arena, b.off+b.size)
		at := sort.Search(len(placed), func(k int) bool { return c.buffers[placed[k]].off > b.off })
		placed = append(placed, 0)
		copy(placed[at+1:], placed[at:])
		placed[at] = i
	}
	return plan
}

// countExternal adds up what lies outside the arena.
func (c *compiler) countExternal(plan *Plan) {
	for _, n := range c.order {
		if n.Op() != nil {
			continue
		}
		size := c.values[c.byNode[n]].size * int(n.Dtype().Size())
		if n.Value() != nil {
			plan.Parameters += size
		} else {
			plan.Inputs += size
		}
	}
	seen := map[*Param]bool{}
	for _, a := range c.o.Accumulate {
		if !seen[a.Into] {
			seen[a.Into] = true
			plan.Gradients += a.Into.Len() * int(a.Into.accumulatorDtype().Size())
		}
	}
}

func (c *compiler) bestGap(placed []int, b *buffer) int {
	free, best, bestGap := 0, -1, int(^uint(0)>>1)
	for _, j := range placed {
		p := &c.buffers[j]
		if p.end < b.def || p.def > b.end {
			continue
		}
		if gap := p.off - free; gap >= b.size && gap < bestGap {
			best, bestGap = free, gap
		}
		free = max(free, p.off+p.size)
	}
	if best < 0 {
		return free
	}
	return best
}
