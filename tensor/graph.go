package tensor

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	gtensor "gorgonia.org/tensor"
)

// Graph is Gorgonia's expression graph: the format in which models and losses
// are described. It is built by one goroutine at a time.
type Graph = gorgonia.ExprGraph

// Node is a value in a Graph.
type Node = gorgonia.Node

// Nodes is a list of nodes.
type Nodes = gorgonia.Nodes

// Shape is a list of dimensions, outermost first.
type Shape = gtensor.Shape

// Dtype is the type of a tensor's elements.
type Dtype = gtensor.Dtype

// NewGraph returns an empty graph.
func NewGraph() *Graph { return gorgonia.NewGraph() }

// ErrBuild is wrapped by every error that comes from describing a graph
// wrongly: a shape that does not fit, a name used twice, an unknown option.
var ErrBuild = errors.New("tensor: graph cannot be built")

// buildFault is the only value that graph building panics with on purpose.
type buildFault struct{ err error }

// fail stops graph building with an error that Build returns.
func fail(format string, args ...any) {
	panic(buildFault{fmt.Errorf("%w: "+format, append([]any{ErrBuild}, args...)...)})
}

// Fail stops graph building: Build returns an error that wraps ErrBuild and
// carries the formatted text. Packages that define blocks or models on top of
// tensor call it inside functions that take or return nodes, and nowhere else.
func Fail(format string, args ...any) { fail(format, args...) }

// Build runs f, which describes a graph, and turns the panics of graph building
// into an error that wraps ErrBuild. Functions with nodes in their signature
// may panic in this way; no others do. Panics of other kinds, such as an index
// out of range, are not caught.
func Build(f func(g *Graph)) (g *Graph, err error) {
	buildLock.Lock()
	defer buildLock.Unlock()
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		fault, ok := r.(buildFault)
		if !ok {
			panic(r)
		}
		g, err = nil, fault.err
	}()
	g = NewGraph()
	f(g)
	return g, nil
}

// Input declares a value that is bound before each run. Names are unique in a
// graph, because Gorgonia merges inputs of one name; a second use fails. A
// shape of no dimensions declares a scalar.
func Input(g *Graph, dt Dtype, name string, shape ...int) *Node {
	if name == "" {
		fail("input without a name")
	}
	if len(g.ByName(name)) > 0 {
		fail("input %q is declared twice", name)
	}
	for _, d := range shape {
		if d < 1 {
			fail("input %q: shape %v has a dimension below 1", name, shape)
		}
	}
	if len(shape) == 0 {
		return gorgonia.NewScalar(g, dt, gorgonia.WithName(name))
	}
	return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
}

// elements is the number of elements of a shape; 1 for a scalar.
func elements(s Shape) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}
