package main

// layerNormKernels follow kernel.LayerNormRow and LayerNormRowBackward.
func layerNormKernels(v *vec) {
	squaredDiffKernel(v)
	layerDotKernel(v)
	layerNormKernel(v, true)
	layerNormKernel(v, false)
	layerBackwardKernel(v, true)
	layerBackwardKernel(v, false)
}

func squaredDiffKernel(v *vec) {
	v.fn("Σ (x[i] - mean)².", "squaredDiff"+v.suffix, []string{"x *float32", "n int", "mean float32"}, "float32")
	ptrs := v.pointers("x")
	v.clearLanes()
	t := v.temp()
	v.scalar("mean", t+1)
	v.reduce(ptrs, func(acc, off int) {
		v.load("DI", off, t)
		v.op("VSUBPS", t+1, t, t)
		v.clearOutside(t)
		v.op("VMULPS", t, t, t)
		v.op("VADDPS", t, acc, acc)
	})
	v.fold("VADDPS")
	v.ret(0)
	v.end()
}

// clearOutside sets the elements outside the mask of a partial vector to zero.
func (v *vec) clearOutside(reg int) {
	switch {
	case v.masked && v.wide():
		v.p("VMOVAPS.Z Z%d, K1, Z%d", reg, reg)
	case v.masked:
		v.op("VANDPS", maskReg, reg, reg)
	}
}

func layerDotKernel(v *vec) {
	v.fn("Σ w[i]·dy[i]·(x[i] - mean).", "layerDot"+v.suffix,
		[]string{"dy *float32", "x *float32", "w *float32", "n int", "mean float32"}, "float32")
	ptrs := v.pointers("dy", "x", "w")
	v.clearLanes()
	t := v.temp()
	v.scalar("mean", t+2)
	v.reduce(ptrs, func(acc, off int) {
		v.load("DX", off, t)
		v.load("DI", off, t+1)
		v.op("VMULPS", t+1, t, t)
		v.load("SI", off, t+1)
		v.op("VSUBPS", t+2, t+1, t+1)
		v.op("VMULPS", t+1, t, t)
		v.op("VADDPS", t, acc, acc)
	})
	v.fold("VADDPS")
	v.ret(0)
	v.end()
}

func layerNormKernel(v *vec, bias bool) {
	name, doc := "layerNorm", "dst[i] = (x[i] - mean)·rstd·w[i]."
	names := []string{"dst", "x", "w"}
	if bias {
		name, doc, names = "layerNormBias", doc+" Then b[i] is added.", append(names, "b")
	}
	var params []string
	for _, q := range names {
		params = append(params, q+" *float32")
	}
	v.fn(doc, name+v.suffix, append(params, "n int", "mean float32", "rstd float32"), "")
	ptrs := v.pointers(names...)
	v.scalar("mean", 3)
	v.scalar("rstd", 4)
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		v.op("VSUBPS", 3, 0, 0)
		v.op("VMULPS", 4, 0, 0)
		v.load("DX", 0, 1)
		v.op("VMULPS", 1, 0, 0)
		if bias {
			v.load("BX", 0, 1)
			v.op("VADDPS", 1, 0, 0)
		}
		v.store(0, "DI", 0)
	})
	v.end()
}

// layerBackwardKernel: c holds mean, rstd, mean(g) and mean(g·x̂).
func layerBackwardKernel(v *vec, weights bool) {
	name, doc := "layerBackward", "dx = c[1]·(w·dy - c[2] - x̂·c[3]), x̂ = (x - c[0])·c[1]."
	names := []string{"dx", "dy", "x", "w"}
	if weights {
		name, doc, names = "layerBackwardWeight", doc+" dw += dy·x̂.", append(names, "dw")
	}
	var params []string
	for _, q := range names {
		params = append(params, q+" *float32")
	}
	v.fn(doc, name+v.suffix, append(params, "n int", "c *[4]float32"), "")
	ptrs := v.pointers(names...)
	v.arg("c", "AX")
	for i := range 4 {
		v.p("VBROADCASTSS %d(AX), %s", 4*i, v.r(8+i))
	}
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		v.load("DX", 0, 1)
		v.op("VSUBPS", 8, 1, 1)
		v.op("VMULPS", 9, 1, 1)
		if weights {
			v.op("VMULPS", 0, 1, 2)
			v.load("R8", 0, 3)
			v.op("VADDPS", 2, 3, 3)
			v.store(3, "R8", 0)
		}
		v.load("BX", 0, 2)
		v.op("VMULPS", 2, 0, 0)
		v.op("VSUBPS", 10, 0, 0)
		v.op("VMULPS", 11, 1, 1)
		v.op("VSUBPS", 1, 0, 0)
		v.op("VMULPS", 9, 0, 0)
		v.store(0, "DI", 0)
	})
	v.end()
}
