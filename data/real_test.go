package data_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

// realData returns the path of a file that is not part of the repository:
// folder shared/data beside or above the checkout.
func realData(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("POSTTRAIN_DATA"), "../shared/data", "../../shared/data"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); dir != "" && err == nil {
			return path
		}
	}
	t.Skipf("%s is not here (POSTTRAIN_DATA names its folder)", name)
	return ""
}

func openReal(t testing.TB, name string) data.Source[data.Row] {
	t.Helper()
	source, err := data.Open(realData(t, name), data.ReadOptions{})
	require.NoError(t, err)
	return source
}

func TestRealGSM8K(t *testing.T) {
	source := openReal(t, "gsm8k_train_4000.jsonl")
	rows, err := data.Collect(source)
	require.NoError(t, err)
	require.Len(t, rows, 4000)
	require.Equal(t, 4000, rows[3999].At.Line)
	set, report, err := data.Prepare(context.Background(), source, greedy{}, data.PrepareOptions{EOS: "<end>"})
	require.NoError(t, err)
	require.Equal(t, 4000, report.Rows)
	e := set.Example(0)
	assert.Equal(t, rows[0].Prompt+rows[0].Completion+"<end>", greedy{}.text(e.IDs))
	assert.Equal(t, len(rows[0].Prompt), e.Prompt)
	assert.Equal(t, len(rows[0].Completion)+len("<end>"), e.Targets())
	b, err := data.NewBatcher(set, data.BatchOptions{Epochs: 1, TokensPerStep: 16384, TokensPerMicro: 4096})
	require.NoError(t, err)
	tokens, micro := 0, 0
	walk(t, b, func(s *data.Step) {
		checkStep(t, set, b.Options(), s)
		tokens += s.Tokens
		micro += len(s.Micro)
	})
	require.Equal(t, set.Tokens(), tokens)
	t.Logf("%v; %.1f %% of the micro-batches' room filled", report, 100*float64(tokens)/float64(micro*4096))
}

func TestRealAlpaca(t *testing.T) {
	rows, err := data.Collect(openReal(t, "alpaca_en_demo.json"))
	require.NoError(t, err)
	require.Len(t, rows, 999)
	for _, row := range rows {
		require.Equal(t, data.ShapeAlpaca, row.Shape)
		require.Contains(t, row.Prompt, "\n\n### Instruction:\n")
	}
}

func TestRealToolCalls(t *testing.T) {
	source := openReal(t, "glaive_toolcall_en_demo.json")
	rows, err := data.Collect(source)
	require.NoError(t, err)
	require.Len(t, rows, 300)
	calls, answers := 0, 0
	for _, row := range rows {
		for _, m := range row.Messages {
			var message struct {
				Role  string
				Calls []struct{ Function struct{ Name string } } `json:"tool_calls"`
			}
			require.NoError(t, json.Unmarshal(m.JSON, &message), "%v", row.At)
			require.Equal(t, m.Role, message.Role)
			if len(message.Calls) > 0 {
				require.NotEmpty(t, message.Calls[0].Function.Name)
				calls++
			} else if m.Role == "assistant" {
				answers++
			}
		}
		if row.Tools != nil {
			var tools []struct{ Function struct{ Name string } }
			require.NoError(t, json.Unmarshal(row.Tools, &tools))
			require.NotEmpty(t, tools[0].Function.Name)
		}
	}
	assert.Equal(t, 211, calls)
	assert.Equal(t, 746, answers)
	_, report, err := data.Prepare(context.Background(), source, greedy{}, data.PrepareOptions{Loss: data.LossAssistant, MaxLength: -1, Renderer: chatML{marked: true, stop: true}})
	require.NoError(t, err)
	require.Equal(t, 300, report.Kept)
}

func TestRealPreferencesAreNoExamples(t *testing.T) {
	for _, name := range []string{"dpo_en_demo.json", "kto_en_demo.json"} {
		_, err := data.Collect(openReal(t, name))
		require.ErrorContains(t, err, "which are preferences")
	}
}

// Reading and preparing stream through a file in linear time. The bound is
// far above what it takes (about 0.05 s) and far below anything quadratic.
func TestPrepareIsNoBottleneck(t *testing.T) {
	if testing.Short() {
		t.Skip("timing")
	}
	source := openReal(t, "gsm8k_train_4000.jsonl")
	start := time.Now()
	_, report, err := data.Prepare(context.Background(), source, bytesOnly{}, data.PrepareOptions{})
	require.NoError(t, err)
	elapsed := time.Since(start)
	t.Logf("%d bytes in %v: %.1f MB/s", report.Tokens, elapsed, float64(report.Tokens)/1e6/elapsed.Seconds())
	require.Less(t, elapsed, 10*time.Second)
}
