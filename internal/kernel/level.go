package kernel

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
)

// level is an instruction level. Levels imply each other: a machine that has
// one has all lower ones.
type level int32

const (
	levelGeneric level = iota // plain Go
	levelAVX2                 // AVX2, FMA, F16C, and an operating system that saves YMM
	levelAVX512               // AVX-512 F, BW, DQ, VL, and an operating system that saves ZMM
)

var levelNames = []string{"generic", "avx2", "avx512"}

func (l level) String() string { return levelNames[l] }

// active is the level in use plus one, or 0 before the first kernel runs.
var active atomic.Int32

var chooseLevel = sync.OnceFunc(func() {
	l := detectLevel()
	if i := slices.Index(levelNames, os.Getenv("POSTTRAIN_ISA")); i >= 0 && level(i) < l {
		l = level(i)
	}
	active.Store(int32(l) + 1)
})

// currentLevel returns the level in use. It is stored plus one, so that zero
// means "not chosen yet".
func currentLevel() level {
	if l := active.Load(); l != 0 {
		return level(l - 1)
	}
	chooseLevel()
	return level(active.Load() - 1)
}

// Level returns the name of the instruction level in use: generic, avx2 or
// avx512. It is the best one the machine has, or a lower one that the
// environment variable POSTTRAIN_ISA names; the variable is read once.
func Level() string { return currentLevel().String() }

// Levels returns the names of the levels this machine and build can run,
// lowest first.
func Levels() []string { return slices.Clone(levelNames[:detectLevel()+1]) }

// SetLevel switches every kernel of the process to the named level and returns
// a function that switches back. It exists for tests and benchmarks: the level
// must not change while kernels run.
func SetLevel(name string) (restore func(), err error) {
	i := slices.Index(levelNames, name)
	if i < 0 || level(i) > detectLevel() {
		return nil, fmt.Errorf("kernel: instruction level, got %q, want one of %v", name, Levels())
	}
	old := currentLevel()
	active.Store(int32(i) + 1)
	return func() { active.Store(int32(old) + 1) }, nil
}
