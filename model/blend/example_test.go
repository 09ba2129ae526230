package blend_test

import (
	"fmt"

	"github.com/posttrain/posttrain/model/blend"
	"github.com/posttrain/posttrain/tensor"
)

// Average a weight of two models.
func Example() {
	weight := func(values ...float64) blend.Set {
		p, err := tensor.NewParam("w", values, len(values))
		if err != nil {
			panic(err)
		}
		return func(yield func(string, *tensor.Param) bool) { yield("w", p) }
	}
	soup := weight(0, 0)
	if err := blend.Weights(soup, nil, []blend.Set{weight(1, 2), weight(3, 6)}, blend.Linear{}); err != nil {
		fmt.Println(err)
		return
	}
	for name, p := range soup {
		fmt.Println(name, p.Data64())
	}
	// Output: w [2 4]
}
