package mapped

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"unsafe"
)

// Guard runs fn with the file kept open. A read of mapped bytes that are gone
// makes it return ErrChanged. Goroutines that fn starts are not guarded.
func (f *File) Guard(fn func() error) (err error) {
	if err := f.enter(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.leave()) }()
	return f.catch(fn)
}

// Parallel runs fn over [0,n) in ranges of at least grain, on as many
// goroutines as there are processors, each guarded. The ranges must be
// independent. It returns the error of the first range in order.
func (f *File) Parallel(n, grain int, fn func(lo, hi int) error) (err error) {
	if err := f.enter(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.leave()) }()
	parts := max(1, min(runtime.GOMAXPROCS(0), n/max(1, grain)))
	if parts == 1 {
		return f.catch(func() error { return fn(0, n) })
	}
	errs := make([]error, parts)
	var wg sync.WaitGroup
	for i := range parts {
		lo, hi := n/parts*i+min(i, n%parts), n/parts*(i+1)+min(i+1, n%parts)
		wg.Go(func() { errs[i] = f.catch(func() error { return fn(lo, hi) }) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// catch runs fn and turns a memory fault inside the mapping into ErrChanged.
func (f *File) catch(fn func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		fault, ok := r.(interface {
			runtime.Error
			Addr() uintptr
		})
		if !ok || !f.holds(fault.Addr()) {
			panic(r)
		}
		err = ErrChanged
	}()
	return fn()
}

func (f *File) holds(addr uintptr) bool {
	if len(f.data) == 0 {
		return false
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(f.data)))
	return addr >= start && addr-start < uintptr(len(f.data))
}
