package mixtral_test

import (
	"fmt"

	"github.com/posttrain/posttrain/model/mixtral"
)

func ExampleFamilies() {
	for _, f := range mixtral.Families() {
		fmt.Println(f.ModelType, f.Class)
	}
	// Output: mixtral MixtralForCausalLM
}
