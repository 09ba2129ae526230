package kernel

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// Task is work that splits into independent chunks.
type Task interface {
	// Do runs one chunk on one worker. Worker is in [0, Workers()) and no two
	// chunks run on the same worker at the same time, so it may index scratch
	// memory. Which worker runs a chunk is not determined: it must not
	// influence results.
	Do(chunk, worker int)
}

// Spin policy (notes: parked workers contribute nothing to a 100 µs operation).
// One round is about 4 µs, so a worker spins for about a millisecond.
const (
	spinRounds     = 250
	checksPerRound = 8
	pausesPerCheck = 32
	roundsPerSched = 8 // give the Go scheduler a chance every so many rounds
)

// Pool is a set of persistent workers that share the chunks of one task at a
// time. The caller of Run is worker 0 and works too. Idle workers spin for
// about a millisecond, giving way to other threads, and then park.
type Pool struct {
	run    sync.Mutex // one task at a time
	task   Task       // written before remaining is set, read after a claim
	chunks int64

	_         [64]byte
	remaining atomic.Int64 // unclaimed chunks
	_         [64]byte
	done      atomic.Int64 // finished chunks
	_         [64]byte
	failure   atomic.Pointer[taskFailure]

	workers []poolWorker // workers[0] is the caller's place and stays unused
	closed  atomic.Bool
	exited  sync.WaitGroup
}

type poolWorker struct {
	parked atomic.Bool
	wake   chan struct{}
	_      [64]byte
}

type taskFailure struct{ value any }

var errTaskExit = errors.New("kernel: a task called runtime.Goexit")

// NewPool returns a pool of the given number of workers, the caller of Run
// included. Zero means GOMAXPROCS; one means serial and starts no goroutine.
// Close frees the workers.
func NewPool(workers int) *Pool {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	p := &Pool{workers: make([]poolWorker, workers)}
	for i := 1; i < workers; i++ {
		p.workers[i].wake = make(chan struct{}, 1)
		p.exited.Add(1)
		go p.serve(i)
	}
	return p
}

// Workers returns the number of workers, the caller of Run included.
func (p *Pool) Workers() int { return len(p.workers) }

// Run calls t.Do for every chunk in [0, chunks) and returns when all are done.
// It waits only for chunks that a worker has claimed, never for a worker to
// arrive. Several goroutines may call Run; their tasks run one after the
// other. A task must not call Run on its own pool. If a chunk panics, chunks
// not yet claimed are dropped and Run panics with the same value once all
// workers have stopped. After Close, Run works on the calling goroutine alone.
func (p *Pool) Run(t Task, chunks int) {
	if chunks <= 0 {
		return
	}
	p.run.Lock()
	defer p.run.Unlock()
	if len(p.workers) == 1 || chunks == 1 {
		for c := range chunks {
			t.Do(c, 0)
		}
		return
	}
	p.task, p.chunks = t, int64(chunks)
	p.done.Store(0)
	p.remaining.Store(int64(chunks))
	for i := 1; i < len(p.workers) && i < chunks; i++ {
		p.unpark(i)
	}
	p.work(0)
	p.await()
	p.task = nil
	if f := p.failure.Swap(nil); f != nil {
		panic(f.value)
	}
}

// Close stops the workers and waits until they have ended. It must not be
// called while Run is in progress.
func (p *Pool) Close() {
	if p.closed.Swap(true) {
		return
	}
	for i := 1; i < len(p.workers); i++ {
		p.unpark(i)
	}
	p.exited.Wait()
}

// work claims and runs chunks until none is left.
func (p *Pool) work(worker int) {
	finished := false
	defer func() {
		if finished {
			return
		}
		f := &taskFailure{recover()}
		if f.value == nil {
			f.value = errTaskExit
		}
		p.failure.CompareAndSwap(nil, f)
		// The chunk that failed and those nobody will claim count as done.
		p.done.Add(1 + p.remaining.Swap(0))
	}()
	for {
		left := p.remaining.Load()
		if left <= 0 {
			break
		}
		// A claim needs no generation number: whichever task the counter
		// belongs to when the swap succeeds cannot end before this chunk, so
		// task and chunks are stable from here on.
		if !p.remaining.CompareAndSwap(left, left-1) {
			continue
		}
		p.task.Do(int(p.chunks-left), worker)
		p.done.Add(1)
	}
	finished = true
}

// await spins until every claimed chunk is done.
func (p *Pool) await() {
	for round := 1; ; round++ {
		for range checksPerRound {
			if p.done.Load() == p.chunks {
				return
			}
			pause(pausesPerCheck / 4)
		}
		giveWay(round)
	}
}

// serve is the life of worker i.
func (p *Pool) serve(i int) {
	defer p.exited.Done()
	for !p.closed.Load() {
		p.work(i)
		if p.spin() {
			continue
		}
		w := &p.workers[i]
		w.parked.Store(true)
		// Work may have come between the last look and the store.
		if (p.remaining.Load() > 0 || p.closed.Load()) && w.parked.CompareAndSwap(true, false) {
			continue
		}
		<-w.wake
	}
}

// spin waits for work for about a millisecond and reports whether some came.
func (p *Pool) spin() bool {
	for round := 1; round <= spinRounds; round++ {
		for range checksPerRound {
			if p.remaining.Load() > 0 || p.closed.Load() {
				return true
			}
			pause(pausesPerCheck)
		}
		giveWay(round)
	}
	return false
}

func (p *Pool) unpark(i int) {
	w := &p.workers[i]
	if w.parked.Load() && w.parked.CompareAndSwap(true, false) {
		w.wake <- struct{}{}
	}
}

// giveWay lets other threads, and now and then other goroutines, run. Without
// the former a woken worker seems to be stacked on the caller's core.
func giveWay(round int) {
	if round%roundsPerSched == 0 {
		runtime.Gosched()
		return
	}
	yieldThread()
}
