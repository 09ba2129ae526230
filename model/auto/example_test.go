package auto_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
)

// A new random model is saved as a Hugging Face folder and opened again. A real
// program opens a folder or a .gguf file that it has downloaded.
func ExampleOpen() {
	m, err := auto.New([]byte(`{"model_type": "qwen3", "vocab_size": 100, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 256, "eos_token_id": 7}`),
		model.Random{Seed: 1}, model.LoadOptions{})
	if err != nil {
		panic(err)
	}
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "model")
	if err := auto.Save(dir, &auto.Checkpoint{Model: m}, auto.SaveOptions{}); err != nil {
		panic(err)
	}

	c, err := auto.Open(dir, auto.Options{NoTokenizer: true})
	if err != nil {
		panic(err)
	}
	defer c.Close()
	total, _ := model.ParamCount(c.Model)
	fmt.Println(c.Family.ModelType, total, c.Model.Config().EOS)
	// Output: qwen3 21952 [7]
}
