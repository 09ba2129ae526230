package llama_test

import (
	"fmt"

	"github.com/posttrain/posttrain/model/llama"
)

func ExampleFamilies() {
	for _, f := range llama.Families() {
		fmt.Println(f.ModelType, f.Class)
	}
	// Output:
	// llama LlamaForCausalLM
	// mistral MistralForCausalLM
}
