//go:build !amd64 || purego

package kernel

// Without assembly every fast path declines and the reference runs.

func fastExpShift(dst, x []float32, shift float32) bool                       { return false }
func fastExpSum(dst, x []float32, shift float32) (float32, bool)              { return 0, false }
func fastMax(x []float32) (float32, bool)                                     { return 0, false }
func fastSum(x []float32) (float32, bool)                                     { return 0, false }
func fastDot(x, y []float32) (float32, bool)                                  { return 0, false }
func fastAxpy(dst []float32, a float32, x []float32) bool                     { return false }
func fastScale(dst, x []float32, a float32) bool                              { return false }
func fastAdd(dst, x, y []float32) bool                                        { return false }
func fastMul(dst, x, y []float32) bool                                        { return false }
func fastUnary(f unary, dst, x []float32) bool                                { return false }
func fastActivateBackward(dx, dy, x []float32, act Activation) bool           { return false }
func fastGLU(dst, gate, up []float32, act Activation) bool                    { return false }
func fastGLUBackward(dgate, dup, dy, gate, up []float32, act Activation) bool { return false }
func fastScaleWeight(dst, x, w []float32, rstd, offset float32) bool          { return false }
func fastRMSDot(dy, x, w []float32, offset float32) (float32, bool)           { return 0, false }
func fastRMSBackward(dx, dwAcc, dy, x, w []float32, c [3]float32) bool        { return false }
func fastAdamW(p, g, m, v, c []float32) bool                                  { return false }
func fastWiden(dst []float32, src []uint16, kind Kind16) bool                 { return false }
func fastNarrow(dst []uint16, src []float32, kind Kind16) bool                { return false }
func fastSquaredDiff(x []float32, mean float32) (float32, bool)               { return 0, false }
func fastLayerDot(dy, x, w []float32, mean float32) (float32, bool)           { return 0, false }
func fastLayerNorm(dst, x, w, b []float32, mean, rstd float32) bool           { return false }
func fastLayerBackward(dx, dwAcc, dy, x, w []float32, c [4]float32) bool      { return false }
func fastPhilox(dst []float32, key uint64, ctr [4]uint32) int                 { return 0 }
func fastDrop(dst, x, u []float32, p, scale float32) bool                     { return false }
func fastDropAdd(dst, x, u []float32, p, scale float32) bool                  { return false }
