package cli

import (
	"errors"

	"github.com/posttrain/posttrain/data"
)

// Examples reads training and evaluation rows of any type as Flags.Rows does: from
// the files of -data and -eval-data, with a share of -data held out where the
// latter is missing, or embedded ones. open opens a file.
func Examples[T any](f *Flags, open func(path string, o data.ReadOptions) (data.Source[T], error), embedded func() (training, evaluation []T)) (training, evaluation []T, err error) {
	if f.Data == "" {
		if f.Model != "" {
			return nil, nil, errors.New("-data: got none, want a file of rows")
		}
		training, evaluation = embedded()
		return limit(training, f.Limit), limit(evaluation, f.EvalLimit), nil
	}
	read := func(path string, n int) ([]T, error) {
		src, err := open(path, data.ReadOptions{Limit: n})
		if err != nil {
			return nil, err
		}
		return data.Collect(src)
	}
	if training, err = read(f.Data, f.Limit); err != nil {
		return nil, nil, err
	}
	if f.EvalData != "" {
		evaluation, err = read(f.EvalData, f.EvalLimit)
		return training, evaluation, err
	}
	training, evaluation, err = data.Split(training, min(held, mostHeld/float64(max(1, len(training)))), f.Seed)
	return training, limit(evaluation, f.EvalLimit), err
}
