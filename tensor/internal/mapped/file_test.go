package mapped

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// plain is the mapper of systems without mapping.
func plain(*os.File, int64) ([]byte, func() error, error) { return nil, nil, nil }

// sources opens the same bytes in every way.
func sources(t *testing.T, data []byte) map[string]*File {
	t.Helper()
	path := write(t, data)
	a, err := Open(path)
	require.NoError(t, err)
	b, err := open(path, plain)
	require.NoError(t, err)
	return map[string]*File{"mapped": a, "read": b, "memory": Memory("m", data)}
}

func TestSectionsOfEverySource(t *testing.T) {
	data := []byte("0123456789")
	for name, f := range sources(t, data) {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, int64(10), f.Size())
			require.NoError(t, f.Guard(func() error {
				b, err := f.Section(3, 4)
				assert.Equal(t, "3456", string(b))
				assert.Equal(t, 4, cap(b))
				return err
			}))
			for _, c := range [][2]int64{{-1, 1}, {0, 11}, {11, 0}, {1, -1}, {9, 1<<63 - 1}, {1 << 62, 1 << 62}} {
				_, err := f.Section(c[0], c[1])
				assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "%v", c)
			}
			require.NoError(t, f.Close())
			require.NoError(t, f.Close())
			assert.ErrorIs(t, f.Guard(func() error { return nil }), ErrClosed)
			assert.ErrorIs(t, f.Parallel(1, 1, func(int, int) error { return nil }), ErrClosed)
		})
	}
}

func TestEmptyFile(t *testing.T) {
	for name, f := range sources(t, nil) {
		b, err := f.Section(0, 0)
		require.NoError(t, err, name)
		assert.Empty(t, b)
		require.NoError(t, f.Close())
	}
}

func TestShrunkFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be cut there")
	}
	for name, how := range map[string]mapper{"mapped": mapFile, "read": plain} {
		t.Run(name, func(t *testing.T) {
			path := write(t, make([]byte, 1<<20))
			f, err := open(path, how)
			require.NoError(t, err)
			require.NoError(t, os.Truncate(path, 10))
			read := func(lo, hi int) error {
				b, err := f.Section(int64(lo), int64(hi-lo))
				if err == nil {
					copy(make([]byte, len(b)), b)
				}
				return err
			}
			assert.ErrorIs(t, f.Guard(func() error { return read(0, 1<<20) }), ErrChanged)
			assert.ErrorIs(t, f.Parallel(1<<20, 1000, read), ErrChanged)
			require.NoError(t, f.Close())
		})
	}
}

func TestOtherPanicsPass(t *testing.T) {
	f := Memory("m", []byte("x"))
	assert.PanicsWithValue(t, "mine", func() { _ = f.Guard(func() error { panic("mine") }) })
	assert.Panics(t, func() {
		_ = f.Guard(func() error {
			var p *int
			*p = 1
			return nil
		})
	})
	require.NoError(t, f.Close(), "a panic leaves nobody inside")
	assert.ErrorIs(t, f.Guard(func() error { return nil }), ErrClosed)
}

func TestParallelCoversTheRangeOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	f := Memory("m", nil)
	for _, n := range []int{0, 1, 4, 5, 6, 99, 1000} {
		hits := make([]atomic.Int32, n)
		require.NoError(t, f.Parallel(n, 3, func(lo, hi int) error {
			for i := lo; i < hi; i++ {
				hits[i].Add(1)
			}
			return nil
		}))
		for i := range hits {
			assert.Equal(t, int32(1), hits[i].Load(), "%d of %d", i, n)
		}
	}
	first := errors.New("first")
	assert.ErrorIs(t, f.Parallel(100, 1, func(lo, _ int) error {
		if lo == 0 {
			return first
		}
		return errors.New("later")
	}), first)
}

// TestCloseDuringUse closes while readers are inside: they finish on valid bytes.
func TestCloseDuringUse(t *testing.T) {
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = 1
	}
	f, err := Open(write(t, data))
	require.NoError(t, err)
	inside, closed := make(chan bool), make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		assert.NoError(t, f.Guard(func() error {
			b, err := f.Section(0, 1<<20)
			inside <- true
			<-closed
			sum := 0
			for _, v := range b {
				sum += int(v)
			}
			assert.Equal(t, 1<<20, sum)
			return err
		}))
	})
	<-inside
	require.NoError(t, f.Close())
	closed <- true
	wg.Wait()
	assert.Nil(t, f.release, "the last reader released the mapping")
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir)
	assert.EqualError(t, err, dir+": got a folder, want a regular file")
	_, err = Open(filepath.Join(dir, "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	if _, err := os.Stat("/dev/null"); err == nil {
		_, err = Open("/dev/null")
		assert.ErrorContains(t, err, "special file")
	}
}
