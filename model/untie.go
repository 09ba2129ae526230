package model

import (
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/tensor"
)

// Untier is a model whose head, if it is tied to the embedding, can become a
// matrix of its own. Decoder is one.
type Untier interface {
	// Untie makes head (V,D) the output matrix and a parameter of the model. It
	// fails when the head is not tied. Graphs that were built before must be
	// built again.
	Untie(head *tensor.Param) error
}

// Tied says whether embedding and head of m are one matrix.
func Tied(m Model) bool { return m.Embedding().Weight == m.Output().Weight }

var _ Untier = (*Decoder)(nil)

// Untie gives a model with a tied head the given one; see Untier.
func (d *Decoder) Untie(head *tensor.Param) error {
	if !Tied(d) {
		return fmt.Errorf("model: untie: got a model with a head of its own, want a tied one")
	}
	if !slices.Equal(head.Shape(), d.embed.Weight.Shape()) {
		return fmt.Errorf("%w: %s has shape %v, want %v", ErrBadWeight, head.Name(), head.Shape(), d.embed.Weight.Shape())
	}
	c := *d.config // may be shared
	c.TieWordEmbeddings = false
	d.config, d.head.Weight = &c, head
	d.params = append(slices.Clip(d.params), head)
	return nil
}
