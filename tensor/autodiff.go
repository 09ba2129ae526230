package tensor

import (
	"sort"

	"gorgonia.org/gorgonia"
)

// Gradients extends the graph by a reverse pass and returns, for each node of
// wrt, the nodes whose sum is its gradient: Σᵢ seeds[i]·∂outs[i]/∂wrt. Several
// contributions to one parameter are left apart because the compiler adds them
// to the parameter's accumulator one by one; use Gradient for a single node. A
// node that does not influence the outputs has no contribution.
//
// Seeds are inputs of the shape of their output: the loop passes 1/denominator.
// Unlike Gorgonia's Grad, it may be called repeatedly on one graph, builds
// nothing for inputs that nobody asked for, and hands an op the gradients of all
// its outputs at once. Gorgonia's own ops are differentiated by their SymDiff.
func Gradients(outs, seeds, wrt Nodes) []Nodes {
	if len(outs) == 0 || len(outs) != len(seeds) || len(wrt) == 0 {
		fail("gradients of %d outputs with %d seeds by %d nodes", len(outs), len(seeds), len(wrt))
	}
	for i, o := range outs {
		if !o.Shape().Eq(seeds[i].Shape()) {
			fail("gradients: seed %d has shape %v, its output %v", i, seeds[i].Shape(), o.Shape())
		}
	}
	r := newReverse(outs, wrt)
	for i, o := range outs {
		r.grads[o] = append(r.grads[o], follow(seeds[i], o))
	}
	for i := len(r.order) - 1; i >= 0; i-- {
		r.visit(r.order[i])
	}
	res := make([]Nodes, len(wrt))
	for i, w := range wrt {
		res[i] = r.grads[w]
	}
	return res
}

// Gradient is Gradients with the contributions added up; a node of wrt that
// does not influence out fails.
func Gradient(out, seed *Node, wrt ...*Node) Nodes {
	res := make(Nodes, len(wrt))
	for i, parts := range Gradients(Nodes{out}, Nodes{seed}, wrt) {
		if len(parts) == 0 {
			fail("gradient: %v does not influence %v", wrt[i], out)
		}
		res[i] = sum(parts)
	}
	return res
}

// sum adds gradients up.
func sum(ns Nodes) *Node {
	s := ns[0]
	for _, n := range ns[1:] {
		s = Add(s, n)
	}
	return s
}

// reverse is the state of one reverse pass.
type reverse struct {
	kids  map[*Node]Nodes
	order Nodes // by id, which is a topological order: children are made before parents
	need  map[*Node]bool
	grads map[*Node]Nodes
	// lowest is the output of each op with the smallest id that takes part.
	lowest map[*group]*Node
}

func newReverse(outs, wrt Nodes) *reverse {
	r := &reverse{kids: map[*Node]Nodes{}, need: map[*Node]bool{}, grads: map[*Node]Nodes{}, lowest: map[*group]*Node{}}
	r.order = reachable(outs[0].Graph(), outs, r.kids)
	for _, w := range wrt {
		r.need[w] = true
	}
	for _, n := range r.order {
		if op, ok := n.Op().(*Op); ok && r.lowest[op.group] == nil {
			r.lowest[op.group] = n
		}
		for i, d := range differentiable(n, len(r.kids[n])) {
			if d && r.need[r.kids[n][i]] {
				r.need[n] = true
			}
		}
	}
	return r
}

// reachable lists the nodes below outs by id and records their children.
func reachable(g *Graph, outs Nodes, kids map[*Node]Nodes) Nodes {
	var order Nodes
	stack := append(Nodes(nil), outs...)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, seen := kids[n]; seen {
			continue
		}
		if g.Node(n.ID()) != n {
			fail("the graph's index does not know node %v; was it removed?", n)
		}
		ch := children(g, n)
		kids[n] = ch
		order = append(order, n)
		stack = append(stack, ch...)
	}
	sort.Slice(order, func(i, j int) bool { return order[i].ID() < order[j].ID() })
	return order
}

// children lists the operands of n in order.
func children(g *Graph, n *Node) Nodes {
	it := g.From(n.ID())
	ch := Nodes{}
	for it != nil && it.Next() {
		ch = append(ch, it.Node().(*Node))
	}
	return ch
}

// differentiable says by which operands n can be differentiated.
func differentiable(n *Node, operands int) []bool {
	op, ok := n.Op().(gorgonia.SDOp)
	if n.Op() == nil || !ok {
		return nil
	}
	d := op.DiffWRT(operands)
	if len(d) != operands {
		return nil
	}
	return d
}

// visit passes the gradient of n on to its operands. All users of n have larger
// ids, so its gradient is complete. The outputs of one op are passed on together
// when the last of them, the one with the lowest id, is met.
func (r *reverse) visit(n *Node) {
	if !r.need[n] || n.Op() == nil || len(r.kids[n]) == 0 {
		return
	}
	op, ours := n.Op().(*Op)
	switch {
	case !ours && len(r.grads[n]) > 0:
		r.visitForeign(n)
	case ours && r.lowest[op.group] == n:
		r.visitGroup(op.group, r.kids[n])
	}
}

func (r *reverse) visitGroup(gr *group, in Nodes) {
	b := &Backward{
		In: append(Nodes(nil), in...), Out: append(Nodes(nil), gr.outputs...),
		Grad: make(Nodes, len(gr.outputs)), Need: make([]bool, len(in)),
	}
	reached := false
	for i, o := range gr.outputs {
		if len(r.grads[o]) > 0 {
			b.Grad[i] = r.total(o)
			reached = true
		}
	}
	if !reached || gr.spec.Gradient == nil {
		return
	}
	for i, c := range in {
		b.Need[i] = gr.spec.Differentiable[i] && r.need[c]
	}
	need := append([]bool(nil), b.Need...)
	r.pass(gr.spec.Name, in, need, gr.spec.Gradient(b))
}

// visitForeign differentiates one of Gorgonia's own ops.
func (r *reverse) visitForeign(n *Node) {
	in := r.kids[n]
	need := differentiable(n, len(in))
	for i, c := range in {
		need[i] = need[i] && r.need[c]
	}
	if why, broken := brokenGradients[n.Op().String()]; broken {
		fail("the gradient of Gorgonia's %v is wrong: %s", n.Op(), why)
	}
	gs, err := n.Op().(gorgonia.SDOp).SymDiff(append(Nodes(nil), in...), n, r.total(n))
	if err != nil {
		fail("differentiating %v: %v", n, err)
	}
	for i := range min(len(gs), len(in)) {
		if need[i] && gs[i] != nil {
			gs[i] = follow(gs[i], in[i])
		}
	}
	r.pass(n.Op().String(), in, need, gs)
}

// total is the sum of the contributions to the gradient of n.
func (r *reverse) total(n *Node) *Node {
	s := sum(r.grads[n])
	r.grads[n] = Nodes{s}
	return s
}

// pass books the gradients of an op's operands.
func (r *reverse) pass(name string, in Nodes, need []bool, gs Nodes) {
	for i, c := range in {
		if !need[i] {
			continue
		}
		if i >= len(gs) || gs[i] == nil {
			fail("%s returned no gradient for operand %d", name, i)
		}
		if !gs[i].Shape().Eq(c.Shape()) {
			fail("%s: gradient of operand %d has shape %v, want %v", name, i, gs[i].Shape(), c.Shape())
		}
		r.grads[c] = append(r.grads[c], gs[i])
	}
}
