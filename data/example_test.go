package data_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"testing/fstest"

	"github.com/posttrain/posttrain/data"
)

// runes is a tokenizer that gives each character its code point.
type runes struct{}

func (runes) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for _, r := range text {
		dst = append(dst, r)
	}
	return dst
}

func Example() {
	const file = `{"prompt":"1+1=","completion":"2"}
{"prompt":"20+22=","completion":"42"}
{"prompt":"2+2=","completion":"4"}`
	files := fstest.MapFS{"sums.jsonl": {Data: []byte(file)}} // data.Open takes a path
	rows, err := data.OpenFS(files, "sums.jsonl", "", data.ReadOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	set, report, err := data.Prepare(context.Background(), rows, runes{}, data.PrepareOptions{EOS: "$"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report)
	batcher, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: 16, Sequential: true, Epochs: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	var step data.Step
	for {
		if err := batcher.Next(&step); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			fmt.Println(err)
			return
		}
		m := step.Micro[0]
		fmt.Printf("%d tokens, segments end at %v, rows %v predict %q\n", step.Tokens, m.Ends, m.Rows, string(m.Targets))
	}
	// Output:
	// 3 of 3 rows kept, 21 tokens, 7 of them targets
	// 15 tokens, segments end at [9 15], rows [5 6 7 12 13] predict "42$2$"
	// 6 tokens, segments end at [6], rows [3 4] predict "4$"
}

// A file whose rows differ is refused with the place of the first that does.
func ExampleRead() {
	const file = `{"text":"fine"}
{"question":"1+1?","answer":"2"}`
	for row, err := range data.Read(strings.NewReader(file), "rows.jsonl", data.ReadOptions{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(row.At, row.Text)
	}
	// Output:
	// rows.jsonl:1 fine
	// data: rows.jsonl:2: got gsm8k (question, answer), want text as in line 1
}

// Steps from files that need not fit in memory, two parts in three from one of
// them. A stream set to a cursor goes on as if it had never stopped.
func ExampleStream() {
	files := fstest.MapFS{
		"math.jsonl": {Data: []byte(`{"prompt":"1+1=","completion":"2"}` + "\n" + `{"prompt":"2+2=","completion":"4"}`)},
		"words.csv":  {Data: []byte("prompt,completion\nThe cat,sat.\n")},
	}
	parts := []data.StreamPart{{Path: "math.jsonl", FS: files, Weight: 2}, {Path: "words.csv", FS: files}}
	stream, err := data.OpenStream(parts, runes{}, data.StreamOptions{Batch: data.BatchOptions{ExamplesPerStep: 3, Seed: 1}})
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	var step data.Step
	if err := stream.Next(&step); err != nil {
		log.Fatal(err)
	}
	at := stream.Cursor()
	if err := stream.Next(&step); err != nil {
		log.Fatal(err)
	}
	tokens := step.Tokens
	if err := stream.Seek(at); err != nil {
		log.Fatal(err)
	}
	if err := stream.Next(&step); err != nil {
		log.Fatal(err)
	}
	fmt.Println(at.Position, step.Tokens == tokens, stream.Cursor().Position)
	// Output: 3 true 6
}
