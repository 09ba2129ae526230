package train

import "slices"

// Average keeps an average of parameters over the course of training: the
// exponential moving one with Decay above 0, else the mean of all updates. The
// first update copies the values. Averages are kept in float64.
type Average struct {
	// Decay is d in average ← d·average + (1-d)·value; 0 means the plain mean.
	Decay float64

	params  []Parameter
	values  [][]float64
	updates int
}

// NewAverage returns an average of the parameters' values at each Update.
func NewAverage(params []Parameter, decay float64) *Average {
	a := &Average{Decay: decay, params: slices.Clone(params)}
	for _, p := range params {
		a.values = append(a.values, make([]float64, elements(p.Shape())))
	}
	return a
}

// Update takes the present values into the average.
func (a *Average) Update() {
	a.updates++
	keep := a.Decay
	if keep == 0 {
		keep = float64(a.updates-1) / float64(a.updates)
	}
	if a.updates == 1 {
		keep = 0
	}
	for k, p := range a.params {
		data, _, data64, _ := storage(p)
		avg := a.values[k]
		for i, x := range data {
			avg[i] = keep*avg[i] + (1-keep)*float64(x)
		}
		for i, x := range data64 {
			avg[i] = keep*avg[i] + (1-keep)*x
		}
	}
}

// Values is the average of parameter number i, in the order of NewAverage. It
// is live memory: do not change it.
func (a *Average) Values(i int) []float64 { return a.values[i] }

// Swap exchanges the parameters' values with the averages, so that the average
// can be evaluated or saved; a second call exchanges them back. Float32
// parameters round the averages, and get their own values back exactly.
func (a *Average) Swap() {
	for k, p := range a.params {
		data, _, data64, _ := storage(p)
		avg := a.values[k]
		for i, x := range data {
			data[i], avg[i] = float32(avg[i]), float64(x)
		}
		for i, x := range data64 {
			data64[i], avg[i] = avg[i], x
		}
		p.Changed()
	}
}
