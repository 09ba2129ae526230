package chat_test

import (
	"encoding/json"
	"fmt"

	"github.com/posttrain/posttrain/data/chat"
)

func Example() {
	template, err := chat.Builtin("chatml", chat.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := template.Render(chat.Input{Messages: []json.RawMessage{
		json.RawMessage(`{"role": "user", "content": "What is 2+2?"}`),
		json.RawMessage(`{"role": "assistant", "content": "4"}`),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(out.Text)
	for _, s := range out.Spans {
		fmt.Printf("the assistant wrote %q\n", out.Text[s[0]:s[1]])
	}
	// Output:
	// <|im_start|>user
	// What is 2+2?<|im_end|>
	// <|im_start|>assistant
	// 4<|im_end|>
	// the assistant wrote "4<|im_end|>"
}
