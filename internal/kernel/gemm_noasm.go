//go:build !amd64 || purego

package kernel

func (level) tile() (mr, nr int) { return genericRows, genericCols }

func (level) micro(t *microCall) { microGeneric(t) }

func (level) packA(dst, src []float32, s packShape) bool { return false }

func (level) packB(dst, src []float32, s packShape) bool { return false }

func (level) packB16(dst []float32, src []uint16, kind Kind16, s packShape) bool { return false }

func (level) thin(t *thinGemm, lo, hi int) bool { return false }
