package auto

import (
	"errors"
	"runtime"
	"sync"
)

// copyGrain is how many bytes are worth a goroutine.
const copyGrain = 4 << 20

// inParallel runs fn over [0,n) in ranges, on as many goroutines as there are
// processors.
func inParallel(n int, fn func(lo, hi int) error) error {
	parts := max(1, min(runtime.GOMAXPROCS(0), n/copyGrain))
	errs := make([]error, parts)
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() { errs[i] = fn(n/parts*i+min(i, n%parts), n/parts*(i+1)+min(i+1, n%parts)) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
