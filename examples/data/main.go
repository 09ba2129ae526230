// Data looks data files over before they are trained on: what rows they hold, which
// of them are faulty and where, how long they are, which are there twice or nearly
// so, and which evaluation rows the training rows give away. Its exit status is 1
// when a row is faulty.
//
//	go run ./examples/data -data train.jsonl -eval-data test.jsonl
//	go run ./examples/data -data 'shards/*.parquet' -model smollm2-135m -json
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/overlap"
	"github.com/posttrain/posttrain/examples/internal/cli"
)

var (
	path      = flag.String("data", "", "rows: JSON, JSONL, CSV, TSV (also .gz or .zst) or Parquet `file`, a folder or a pattern")
	evalPath  = flag.String("eval-data", "", "evaluation rows that the rows of -data should not give away")
	limit     = flag.Int("limit", 0, "look at so many rows at most; 0 for all")
	model     = flag.String("model", "", "Hugging Face `folder` or .gguf file whose tokenizer counts tokens; empty counts characters only")
	template  = flag.String("template", "", "chat template for a model that has none: chatml, gemma, llama3, plain, zephyr")
	maxLength = flag.Int("max-length", 1024, "count rows of more tokens")
	near      = flag.Float64("near", 0.8, "similarity from which rows are near duplicates; 0 looks for equal rows only")
	run13     = flag.Int("words", 13, "evaluation rows are given away by so many words in a row that training rows have too")
	show      = flag.Int("show", 3, "name so many cases of each finding")
	asJSON    = flag.Bool("json", false, "print one JSON object a line and nothing else")
)

func main() {
	cli.Run("Data looks data files over before they are trained on.", run)
}

func run(ctx context.Context) error {
	if *path == "" || *limit < 0 || *maxLength < 2 || *run13 < 1 || *show < 0 || !(*near >= 0 && *near <= 1) {
		return errors.New("want -data, -limit and -show from 0 on, -max-length from 2 on, -words from 1 on, and -near in [0, 1]")
	}
	s, err := newSurvey()
	if err != nil {
		return err
	}
	if err := say("start", start{Data: *path, EvalData: *evalPath, Model: *model}); err != nil {
		return err
	}
	if *evalPath != "" {
		if err := each(ctx, *evalPath, s.test); err != nil {
			return err
		}
	}
	if err := each(ctx, *path, s.row); err != nil {
		return err
	}
	if err := s.tell(); err != nil {
		return err
	}
	if n := s.faulty(); n > 0 {
		return fmt.Errorf("%s: %d faulty rows of %d; the first: %w", *path, n, s.rows, s.first)
	}
	return nil
}

// each calls visit for every row of a file.
func each(ctx context.Context, path string, visit func(data.AnyRow) error) error {
	src, err := data.OpenAny(path, data.ReadOptions{Limit: *limit, Formats: cli.Formats()})
	if err != nil {
		return err
	}
	return data.Each(ctx, src, visit)
}

// newSurvey prepares what the flags ask for.
func newSurvey() (*survey, error) {
	s := &survey{kinds: map[string]int{}, faults: map[string]*fault{}}
	var err error
	s.duplicates, err = overlap.NewDuplicates(overlap.DuplicateOptions{Threshold: *near, ExactOnly: *near == 0})
	if err != nil {
		return nil, err
	}
	s.shared, err = overlap.NewContamination(overlap.ContaminationOptions{Words: *run13, MinWords: min(8, *run13)})
	if err != nil || *model == "" {
		return s, err
	}
	s.counter, err = newCounter()
	return s, err
}
