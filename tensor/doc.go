// Package tensor runs compute graphs: it describes models and losses as
// Gorgonia graphs of coarse fused ops, differentiates them, compiles them into
// programs over one planned arena, and runs those on the CPU.
//
// Graph and Node are Gorgonia's own types, so a loss written with Gorgonia's ops
// on one of our nodes is differentiated and run like any other part of the graph.
// Everything that executes is ours: Build describes a graph, Gradients extends it
// by a reverse pass, Compile turns it into a Program, Bind sets its inputs, Run
// runs it, Values reads an output. Param is a model's parameter.
//
// Shapes use fixed letters: N packed tokens, M scored tokens, S segments, B
// examples, V vocabulary, D width, H heads, C head width.
//
// # Batches
//
// Graphs are built for a capacity. A leading axis can be dynamic
// (CompileOptions.Axes): its live size is set before a run, and kernels compute
// live rows only.
//
// # Memory
//
// Everything a program needs is planned when it is compiled, and a run allocates
// nothing (Gorgonia's own ops excepted). DryPlan answers what a program would
// take before any of it is allocated; CompileOptions.Checkpoints trades memory
// for time; programs that never run at the same time may share an Arena.
//
// # Your own ops
//
// Apply makes an op of a Spec: shapes, a kernel, a gradient. Check it with
// package gradcheck.
//
// # Limitations
//
// Gorgonia's own ops see dynamic axes at full capacity with zeros in the dead
// rows; the rows of their results are followed where the op keeps them in place,
// and count in full otherwise. Differentiate with Gradients: gradients that
// Gorgonia's Grad makes know nothing of dynamic axes. Its softmax, log-softmax, dropout and matrix log-sum-exp are refused,
// because they are wrong (docs/adr/0002-gorgonia.md). Tensor constants of
// Gorgonia's are merged when they print alike; use named inputs.
package tensor
