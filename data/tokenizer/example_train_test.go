package tokenizer_test

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/data/tokenizer"
)

// A tokenizer of one's own is trained on any sequence of texts.
func ExampleTrainBPE() {
	texts := func(yield func(string, error) bool) {
		for range 3 {
			if !yield("low lower lowest, new newer newest", nil) {
				return
			}
		}
	}
	t, err := tokenizer.TrainBPE(context.Background(), texts, tokenizer.TrainOptions{
		VocabSize: 270, SpecialTokens: []string{"<|end|>"}, EOS: "<|end|>",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range t.Encode("the lowest<|end|>") {
		token, _ := t.Token(id)
		fmt.Printf("%s ", token)
	}
	fmt.Println(t.Size())
	// Output:
	// t h e Ġlo west <|end|> 270
}
