package reward

import (
	"context"

	"github.com/posttrain/posttrain/internal/policy"
)

// ScoreColumns returns for each text what the head says at its last token, one
// number a label: the scores of several heads on a shared trunk in one pass.
func (m *Model) ScoreColumns(ctx context.Context, texts []Text) ([][]float64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([][]float64, 0, len(texts))
	var outputs []float64
	var fault error
	err := m.walk(ctx, texts, nil, func(rows []float64, last []int32) {
		outputs, fault = policy.AppendValues(outputs[:0], m.prog.run, m.prog.columns)
		if fault != nil || len(rows) == 0 {
			return
		}
		width := len(outputs) / len(rows)
		for _, r := range last {
			list = append(list, append([]float64(nil), outputs[int(r)*width:int(r+1)*width]...))
		}
	})
	if err == nil {
		err = fault
	}
	return list, err
}

// SampleColumns is ScoreColumns of samples as text.
func (m *Model) SampleColumns(ctx context.Context, samples []Sample) ([][]float64, error) {
	texts, err := m.tokenise(samples)
	if err != nil {
		return nil, err
	}
	return m.ScoreColumns(ctx, texts)
}
