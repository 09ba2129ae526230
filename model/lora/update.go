package lora

import "github.com/posttrain/posttrain/model/nn"

// update is what one kind of adapter does to one layer. A kind is a type with
// these methods, in a file of its own, and an entry of kinds; see
// docs/guides/add-an-adapter.md.
type update interface {
	// clone is a copy that does not share parameters, and has none yet.
	clone() update
	// parts lists the parameters.
	parts(m *module) []part
	// draw gives fresh parameters, which are zero, their initial values.
	draw(m *module, c Config) error
	// zero says whether the layer computes what it would without the update.
	zero(m *module) bool
	// adapter is what the layer is given: an nn.Adapter, of the embedding an
	// nn.LookupAdapter; nil for nothing.
	adapter() any
	// merge changes w, the layer's weight in its layout, as the update does, and
	// mergeBias the bias of a layer where changesBias.
	merge(m *module, w []float64) error
	changesBias() bool
	mergeBias(bias []float64) error
}

// noBias is the part of an update that leaves biases alone.
type noBias struct{}

func (noBias) changesBias() bool         { return false }
func (noBias) mergeBias([]float64) error { return nil }

var (
	_ update = (*lowRank)(nil)
	_ update = (*scaling)(nil)
	_ update = (*tokenRows)(nil)
	_ update = (*spectral)(nil)
	_ update = (*cur)(nil)

	_ nn.Adapter = (*nn.LowRank)(nil)
)
