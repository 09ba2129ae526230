package parquet_test

import (
	"fmt"
	"log"
	"testing/fstest"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/parquet"
)

// Parquet files are read like any other once the format is named.
func Example() {
	type row struct {
		Prompt     string `parquet:"prompt"`
		Completion string `parquet:"completion"`
	}
	files := fstest.MapFS{"train.parquet": {Data: file(row{"2+2=", "4"}, row{"3+3=", "6"})}}
	src, err := data.OpenFS(files, "train.parquet", "", data.ReadOptions{Formats: []data.Format{parquet.Format{}}})
	if err != nil {
		log.Fatal(err)
	}
	for row, err := range src.All() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(row.At, row.Prompt, row.Completion)
	}
	// Output:
	// train.parquet:1 2+2= 4
	// train.parquet:2 3+3= 6
}
