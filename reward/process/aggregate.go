package process

import (
	"fmt"
	"math"
)

// Aggregation makes one number of the scores of a solution's steps.
type Aggregation string

// The aggregations.
const (
	Last    Aggregation = "last" // the score of the last step, which sees all of the solution
	Min     Aggregation = "min"  // the score of the weakest step
	Product Aggregation = "prod" // the probability that all steps are good, were they independent
	Mean    Aggregation = "mean" // the mean of all steps
)

// Of is the aggregate of steps, which are probabilities; NaN without any.
// Lightman et al. 2023 (arXiv:2305.20050, §F) compare Product and Min; Snell et
// al. 2024 (arXiv:2408.03314, §3.2) find Last the best.
func (a Aggregation) Of(steps []float64) float64 {
	if len(steps) == 0 {
		return math.NaN()
	}
	switch a {
	case Min:
		low := steps[0]
		for _, p := range steps {
			low = min(low, p)
		}
		return low
	case Product:
		product := 1.0
		for _, p := range steps {
			product *= p
		}
		return product
	case Mean:
		sum := 0.0
		for _, p := range steps {
			sum += p
		}
		return sum / float64(len(steps))
	}
	return steps[len(steps)-1]
}

// Validate refuses unknown names; "" stands for Last.
func (a Aggregation) Validate() error {
	switch a {
	case "", Last, Min, Product, Mean:
		return nil
	}
	return fmt.Errorf("process: got the aggregation %q, want one of %q, %q, %q and %q", string(a), Last, Min, Product, Mean)
}
