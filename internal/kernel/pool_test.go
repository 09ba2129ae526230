package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

type taskFunc func(chunk, worker int)

func (f taskFunc) Do(chunk, worker int) { f(chunk, worker) }

// TestPoolRunsEveryChunkOnce also covers parked workers: the pause between
// runs is longer than they spin.
func TestPoolRunsEveryChunkOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, workers := range []int{1, 2, 5} {
		pool := NewPool(workers)
		assert.Equal(t, workers, pool.Workers())
		for _, chunks := range []int{0, 1, 2, 3, 1000} {
			counts := make([]atomic.Int32, chunks)
			busy := make([]atomic.Int32, workers)
			pool.Run(taskFunc(func(chunk, worker int) {
				assert.Equal(t, int32(1), busy[worker].Add(1), "one chunk a worker at a time")
				counts[chunk].Add(1)
				busy[worker].Add(-1)
			}), chunks)
			for i := range counts {
				assert.Equal(t, int32(1), counts[i].Load())
			}
			if chunks == 3 {
				time.Sleep(5 * time.Millisecond)
			}
		}
		pool.Close()
		pool.Close()
		ran := 0
		pool.Run(taskFunc(func(int, int) { ran++ }), 4)
		assert.Equal(t, 4, ran, "a closed pool works on the caller")
	}
}

func TestPoolSharesWork(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	// Both chunks wait for each other: one worker alone would never end.
	var meet sync.WaitGroup
	meet.Add(2)
	pool.Run(taskFunc(func(int, int) { meet.Done(); meet.Wait() }), 2)
}

func TestPoolIsSafeForSeveralCallers(t *testing.T) {
	pool := NewPool(3)
	defer pool.Close()
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 200 {
				var sum atomic.Int64
				pool.Run(taskFunc(func(chunk, _ int) { sum.Add(int64(chunk)) }), 17)
				assert.Equal(t, int64(17*16/2), sum.Load())
			}
		})
	}
	callers.Wait()
}

func TestPoolReraisesPanics(t *testing.T) {
	for _, workers := range []int{1, 3} {
		pool := NewPool(workers)
		for range 20 {
			var running atomic.Int32
			assert.PanicsWithValue(t, "chunk 3", func() {
				pool.Run(taskFunc(func(chunk, _ int) {
					running.Add(1)
					defer running.Add(-1)
					if chunk == 3 {
						panic("chunk 3")
					}
					runtime.Gosched()
				}), 50)
			})
			assert.Zero(t, running.Load(), "no chunk runs after Run has panicked")
			done := 0
			pool.Run(taskFunc(func(int, int) { done++ }), 1)
			assert.Equal(t, 1, done, "the pool works on after a panic")
		}
		pool.Close()
	}
}

type countTask struct{ n atomic.Int64 }

func (c *countTask) Do(int, int) { c.n.Add(1) }

func TestPoolAllocatesNothing(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	task := &countTask{}
	assert.Zero(t, testing.AllocsPerRun(100, func() { pool.Run(task, 8) }))
}

func BenchmarkPoolRun(b *testing.B) {
	pool := NewPool(0)
	defer pool.Close()
	task := &countTask{}
	for range b.N {
		pool.Run(task, 8)
	}
}
