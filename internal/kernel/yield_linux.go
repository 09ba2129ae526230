package kernel

import "syscall"

// yieldThread gives the core to another thread that is ready. A raw system
// call does not tell the Go scheduler, which would take the P away.
func yieldThread() { _, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
