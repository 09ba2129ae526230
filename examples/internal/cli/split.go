package cli

import (
	"errors"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/parquet"
)

// Examples reads training and evaluation rows of any type as Flags.Rows does: from
// the files of -data and -eval-data, with a share of -data held out where the
// latter is missing, or embedded ones. open opens a file.
func Examples[T any](f *Flags, open func(path string, o data.ReadOptions) (data.Source[T], error), embedded func() (training, evaluation []T)) (training, evaluation []T, err error) {
	return ExamplesWithout(f, held, open, embedded)
}

// ExamplesWithout is Examples that holds out that share.
func ExamplesWithout[T any](f *Flags, share float64, open func(path string, o data.ReadOptions) (data.Source[T], error), embedded func() (training, evaluation []T)) (training, evaluation []T, err error) {
	if f.Data == "" {
		if f.Model != "" {
			return nil, nil, errors.New("-data: got none, want a file of rows")
		}
		training, evaluation = embedded()
		return Limit(training, f.Limit), Limit(evaluation, f.EvalLimit), nil
	}
	if training, err = readRows(open, f.Data, f.Limit); err != nil {
		return nil, nil, err
	}
	if f.EvalData != "" {
		evaluation, err = readRows(open, f.EvalData, f.EvalLimit)
		return training, evaluation, err
	}
	training, evaluation, err = data.Split(training, min(share, mostHeld/float64(max(1, len(training)))), f.Seed)
	return training, Limit(evaluation, f.EvalLimit), err
}

// Formats returns the kinds of data files that examples read beyond JSON and CSV.
func Formats() []data.Format { return []data.Format{parquet.Format{}} }

func readRows[T any](open func(path string, o data.ReadOptions) (data.Source[T], error), path string, n int) ([]T, error) {
	src, err := open(path, data.ReadOptions{Limit: n, Formats: Formats()})
	if err != nil {
		return nil, err
	}
	return data.Collect(src)
}
