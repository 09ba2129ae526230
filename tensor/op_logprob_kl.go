package tensor

// Distribution is a distribution over the vocabulary at each row: hidden states
// H (N, D) after the final norm, an output matrix Head (V, D), and how they
// become logits. See TokenLogProb.
type Distribution struct {
	H, Head *Node
	Options LogProbOptions

	// Low (N, R) and LowHead (V, R), if set, add Low·LowHeadᵀ to H·Headᵀ: a
	// low-rank update of the head, with Low = scale·H·Aᵀ and LowHead = B. TokenKL
	// does not take them.
	Low, LowHead *Node
}

// Divergences compare a policy p with a reference r at each scored position,
// each (M), in nats over the full vocabulary.
type Divergences struct {
	PolicyToReference *Node // KL(p‖r) = Σ p·(log p − log r), the penalty of RLHF; "reverse KL" in distillation
	ReferenceToPolicy *Node // KL(r‖p) = Σ r·(log r − log p), "forward KL" in distillation
}

// Indices of the outputs of the op.
const (
	outPolicyToReference = iota
	outReferenceToPolicy
	outPolicyLSE
	outReferenceLSE
	divergences = outReferenceToPolicy + 1
)

// TokenKL computes exact divergences between two distributions over one
// vocabulary at rows (M) int32, which lists rows of both hidden states, without
// an array of (tokens × vocabulary). The hidden widths may differ, V may not. It
// can be differentiated by the policy's H and Head; the reference is a constant.
// The gradient computes both logits again. Mixtures of p and r, as in
// generalised Jensen–Shannon divergence, are not offered.
func TokenKL(p, r Distribution, rows *Node) Divergences {
	const name = "kl"
	for _, d := range []Distribution{p, r} {
		if d.H == nil || d.Head == nil {
			fail("%s: a hidden state or head is nil", name)
		}
		if d.Low != nil || d.LowHead != nil {
			fail("%s: a low-rank update of the head is not supported", name)
		}
	}
	l := klLayout{newLogProbLayout(p.H, p.Head, rows, rows, p.Options), newLogProbLayout(r.H, r.Head, rows, rows, r.Options)}
	if l.p.v != l.r.v || p.H.Dtype() != r.H.Dtype() || p.H.Shape()[0] != r.H.Shape()[0] {
		fail("%s: %v (%v) and %v (%v) hidden states with %d and %d tokens, want equal rows, types and vocabularies",
			name, p.H.Shape(), p.H.Dtype(), r.H.Shape(), r.H.Dtype(), l.p.v, l.r.v)
	}
	s := Spec{
		Name:           name,
		Differentiable: []bool{true, true, false, false, false},
		Kernel:         byFloat(name, p.H, klKernel[float32](l), klKernel[float64](l)),
		Scratch:        l.end() * floatSize(p.H),
	}
	for range outReferenceLSE + 1 {
		s.Out = append(s.Out, Output{Shape: Shape{l.p.m}, Dtype: p.H.Dtype(), Axis: klRows + 1})
	}
	s.Gradient = func(b *Backward) Nodes { return klGradient(b, l) }
	ns := Apply(s, p.H, p.Head, r.H, r.Head, rows)
	return Divergences{ns[outPolicyToReference], ns[outReferenceToPolicy]}
}

// klRows is the index of the input with the rows.
const klRows = 4

// klLayout is what is known of both distributions when the op is built. Scratch
// memory holds both hidden states, then a chunk of both logits, then, for the
// gradient, sums of the policy's hidden width.
type klLayout struct{ p, r logProbLayout }

// Where each part begins, in elements.
func (l *klLayout) hiddenR() int { return l.p.m * l.p.d }
func (l *klLayout) logitsP() int { return l.hiddenR() + l.r.m*l.r.d }
func (l *klLayout) logitsR() int { return l.logitsP() + l.p.m*l.p.chunk }
func (l *klLayout) end() int     { return l.logitsR() + l.r.m*l.r.chunk }
