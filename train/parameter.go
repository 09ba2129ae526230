package train

// Parameter is a trainable tensor as the loop sees it: named live values beside
// a gradient accumulator of the same length. *tensor.Param is one.
type Parameter interface {
	// Name identifies the parameter in optimizer state and checkpoints.
	Name() string
	// Shape is the tensor's shape; it must not be changed.
	Shape() []int
	// Data is the live values, nil when they are stored as float64.
	Data() []float32
	// Grad is the live accumulator, nil when the values are float64.
	Grad() []float32
	// Changed records that the values were written to.
	Changed()
}

// Parameter64 is a Parameter that may be stored as float64: Data and Grad are
// nil then. Training in float64 is meant for checks, not for speed.
type Parameter64 interface {
	Parameter
	// Data64 is the live values, nil when they are stored as float32.
	Data64() []float64
	// Grad64 is the live accumulator, nil when the values are float32.
	Grad64() []float64
}

// storage returns the live memory of p; one of the two pairs is nil.
func storage(p Parameter) (data, grad []float32, data64, grad64 []float64) {
	if data = p.Data(); data != nil {
		return data, p.Grad(), nil, nil
	}
	if wide, ok := p.(Parameter64); ok {
		return nil, nil, wide.Data64(), wide.Grad64()
	}
	return nil, nil, nil, nil
}

// elements is the number of elements of a shape.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
