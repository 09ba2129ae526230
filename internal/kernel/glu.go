package kernel

// GLU sets dst to act(gate)·up, the inner part of a gated MLP (Shazeer 2020,
// arXiv:2002.05202). dst may be gate or up.
func GLU[T Float](dst, gate, up []T, act Activation) {
	mustLen("GLU", len(gate), len(dst), len(up))
	if is32[T]() && fastGLU(f32(dst), f32(gate), f32(up), act) {
		return
	}
	for i, v := range gate {
		y, _ := activation(float64(v), act)
		dst[i] = T(y * float64(up[i]))
	}
}

// GLUBackward sets dgate to dy·up·act'(gate) and dup to dy·act(gate). dgate and
// dup may be any of the inputs but not the same slice.
func GLUBackward[T Float](dgate, dup, dy, gate, up []T, act Activation) {
	mustLen("GLUBackward", len(gate), len(dgate), len(dup), len(dy), len(up))
	if is32[T]() && fastGLUBackward(f32(dgate), f32(dup), f32(dy), f32(gate), f32(up), act) {
		return
	}
	for i, v := range gate {
		y, d := activation(float64(v), act)
		g, u := float64(dy[i]), float64(up[i])
		dgate[i], dup[i] = T(g*u*d), T(g*y)
	}
}
