//go:build !linux

package kernel

import "runtime"

func yieldThread() { runtime.Gosched() }
