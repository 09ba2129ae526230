//go:build !purego

package kernel

// pause waits for about n short steps without leaving the core.
func pause(n int)
