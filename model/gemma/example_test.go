package gemma_test

import (
	"fmt"

	"github.com/posttrain/posttrain/model/gemma"
)

func ExampleFamilies() {
	for _, f := range gemma.Families() {
		fmt.Println(f.ModelType, f.Class)
	}
	// Output:
	// gemma GemmaForCausalLM
	// gemma2 Gemma2ForCausalLM
	// gemma3_text Gemma3ForCausalLM
}
