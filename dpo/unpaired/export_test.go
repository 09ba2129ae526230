package unpaired

// Mean is the running mean of BCO's rewards, for fixtures.
type Mean struct{ m mean }

// Add counts values in.
func (m *Mean) Add(values []float64) { m.m.add(values) }

// Value is the mean.
func (m *Mean) Value() float64 { return m.m.value() }
