package lora

import (
	"slices"

	"github.com/posttrain/posttrain/model"
)

// taskTypes are PEFT's names of what heads do.
var taskTypes = map[model.HeadKind]string{model.SequenceClassification: "SEQ_CLS", model.TokenClassification: "TOKEN_CLS"}

// scoring is the layer of the head of a model.Headed, which an adapter can have a
// whole copy of.
func scoring(m model.Model) []layer {
	s, ok := m.(model.Scorer)
	if !ok {
		return nil
	}
	l := s.Scoring()
	return []layer{{path: l.Path, kind: scorer, turned: l.Transposed, weight: &l.Weight, bias: &l.Bias, adapters: &l.Adapters, replaced: &l.Replaced}}
}

// forHead makes a fresh adapter of a model.Headed train the head too, as PEFT's
// models for classification do: a copy of it is among the modules to save, and the
// task says what the head is for.
func (c Config) forHead(m model.Model) Config {
	h, ok := m.(model.Headed)
	if !ok {
		return c
	}
	if !slices.Contains(c.ModulesToSave, h.Score.Linear.Path) {
		c.ModulesToSave = append(slices.Clone(c.ModulesToSave), h.Score.Linear.Path)
	}
	if task := taskTypes[h.Score.Kind]; task != "" && (c.TaskType == "" || c.TaskType == causalLM) {
		c.TaskType = task
	}
	return c
}
