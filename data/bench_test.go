package data_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

// none is an encoder that costs nothing: one token for all.
type none struct{}

func (none) AppendIDs(dst []int32, text string, _ bool) []int32 {
	return append(dst, int32(len(text)), 2, 3)
}

func BenchmarkRead(b *testing.B) {
	raw := noisyRows(b, 20_000)
	for name, packed := range map[string][]byte{"plain": raw, "gzip": gzipped(b, raw), "zstd": zstded(b, raw)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				n := 0
				for _, err := range data.Read(bytes.NewReader(packed), "f", data.ReadOptions{}) {
					require.NoError(b, err)
					n++
				}
				require.Equal(b, 20_000, n)
			}
		})
	}
}

func BenchmarkPrepare(b *testing.B) {
	rows, err := readAll(string(noisyRows(b, 20_000)), data.ReadOptions{})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := data.Prepare(context.Background(), data.Slice[data.Row](rows), none{}, data.PrepareOptions{EOS: "<end>"})
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.N*len(rows))/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkBatcher(b *testing.B) {
	rng := rand.New(rand.NewPCG(8, 8))
	lengths := make([]int, 10_000)
	for i := range lengths {
		lengths[i] = min(10+int(rng.ExpFloat64()*180), 1000)
	}
	batcher, err := data.NewBatcher(made(b, lengths...), data.BatchOptions{})
	require.NoError(b, err)
	var step data.Step
	tokens := 0
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, batcher.Next(&step))
		tokens += step.Tokens
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
