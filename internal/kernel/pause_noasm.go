//go:build !amd64 || purego

package kernel

import "sync/atomic"

var pauseSink atomic.Uint32

// pause waits for about n short steps without leaving the core.
func pause(n int) {
	for range n {
		pauseSink.Load()
	}
}
