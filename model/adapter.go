package model

// HasAdapter says whether any layer of m has an adapter of that name. Graphs do
// not ask: a name that no layer knows computes the base model. Virtual tokens do
// not count, because batches must hold them: see VirtualTokens.
func HasAdapter(m Model, name string) bool {
	if m.Output().Adapters[name] != nil || m.Embedding().Adapters[name] != nil && VirtualTokens(m, name) == 0 {
		return true
	}
	for _, l := range m.Linears() {
		if l.Adapters[name] != nil {
			return true
		}
	}
	return false
}
