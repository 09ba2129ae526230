package qwen_test

import (
	"fmt"

	"github.com/posttrain/posttrain/model/qwen"
)

func ExampleFamilies() {
	for _, f := range qwen.Families() {
		fmt.Println(f.ModelType, f.Class)
	}
	// Output:
	// qwen2 Qwen2ForCausalLM
	// qwen3 Qwen3ForCausalLM
	// qwen3_moe Qwen3MoeForCausalLM
}
