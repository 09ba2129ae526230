//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// detectLevel returns the best level of this machine. Levels imply each other
// because GODEBUG can switch single features off; x/sys/cpu reports AVX and
// AVX-512 only when the operating system saves their registers.
func detectLevel() level {
	x := &cpu.X86
	if !(x.HasAVX && x.HasAVX2 && x.HasFMA && x.HasBMI2 && x.HasF16C) {
		return levelGeneric
	}
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
		return levelAVX512
	}
	return levelAVX2
}
