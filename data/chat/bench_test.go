package chat_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data/chat"
	"github.com/posttrain/posttrain/internal/oracle"
)

// tenTurns is a conversation of ten messages of about 400 bytes.
func tenTurns() []json.RawMessage {
	var pairs []string
	for i := range 10 {
		pairs = append(pairs, []string{"user", "assistant"}[i%2], fmt.Sprintf("%d: %s", i, strings.Repeat("some words of text, ", 20)))
	}
	return turns(pairs...)
}

func BenchmarkRender(b *testing.B) {
	sources := map[string]string{}
	for _, root := range oracle.Roots(b, "chat") {
		f := readFixture(b, root)
		for _, name := range []string{"huggingface--gptoss", "huggingface--qwen3_training", "huggingface--llama3_1", "lenml--gemma3", "smollm2"} {
			sources[name] = f.Templates[name]
		}
	}
	in := chat.Input{Messages: tenTurns()}
	for _, name := range names(sources) {
		b.Run(name, func(b *testing.B) {
			tmpl, err := chat.Parse(name, sources[name], fixtureOptions)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tmpl.Render(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, root := range oracle.Roots(b, "chat")[:1] {
		f := readFixture(b, root)
		source := f.Templates["huggingface--gptoss"]
		b.SetBytes(int64(len(source)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := chat.Parse("gptoss", source, fixtureOptions); err != nil {
				b.Fatal(err)
			}
		}
	}
}
