package parquet_test

import (
	"fmt"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data/parquet"
)

// BenchmarkRead reads rows of two texts, in bytes of text a second.
func BenchmarkRead(b *testing.B) {
	type qa struct {
		Question string `parquet:"question"`
		Answer   string `parquet:"answer"`
	}
	var rows []qa
	size := int64(0)
	for i := range 20_000 {
		r := qa{fmt.Sprintf("What is %d and %d? %s", i, i*i, strings.Repeat("word ", i%60)), fmt.Sprint("It is ", i+i*i)}
		size += int64(len(r.Question) + len(r.Answer))
		rows = append(rows, r)
	}
	for name, opt := range map[string]pq.WriterOption{"snappy": pq.Compression(&pq.Snappy), "zstd": pq.Compression(&pq.Zstd)} {
		raw := write(b, rows, 20_000, pq.PageBufferSize(1<<20), opt)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				tab, err := table(b, raw, parquet.Format{})
				require.NoError(b, err)
				n := 0
				for i := range tab.Blocks() {
					block, err := tab.Block(i)
					require.NoError(b, err)
					for {
						if _, _, err := block.Next(); err != nil {
							break
						}
						n++
					}
					require.NoError(b, block.Close())
				}
				require.Equal(b, len(rows), n)
			}
		})
	}
}
