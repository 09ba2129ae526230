package tokenizer_test

import (
	"fmt"

	"github.com/posttrain/posttrain/data/tokenizer"
)

// A tokenizer.json is normally read with Open; this one is small enough to be
// written out.
func Example() {
	t, err := tokenizer.Parse("example", []byte(`{
		"added_tokens": [{"id": 6, "content": "<|end|>", "special": true}],
		"pre_tokenizer": {"type": "Whitespace"},
		"decoder": {"type": "Fuse"},
		"model": {
			"type": "BPE",
			"vocab": {"h": 0, "e": 1, "l": 2, "o": 3, "he": 4, "ll": 5},
			"merges": ["h e", "l l"]
		}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, offsets := t.AppendOffsets(nil, nil, "hello<|end|>", true)
	fmt.Println(ids)
	fmt.Println(offsets)
	fmt.Println(t.Decode(ids, true))
	// Output:
	// [4 5 3 6]
	// [[0 2] [2 4] [4 5] [5 12]]
	// hello
}
