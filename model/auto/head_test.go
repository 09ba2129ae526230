package auto

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// requireEqualCheckpoints wants the same bits, head included.
func requireEqualCheckpoints(t *testing.T, want, got *Checkpoint) {
	t.Helper()
	requireEqualWeights(t, want.whole(), got.whole())
	a, b := *want.Head, *got.Head
	a.Linear, b.Linear = nil, nil
	assert.Equal(t, a, b)
}

// TestOracleSaveHeads saves the fixtures with a head and opens them again.
func TestOracleSaveHeads(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, c := range headCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			k, err := Open(c.dir, Options{})
			require.NoError(t, err)
			dir := filepath.Join(t.TempDir(), "saved")
			require.NoError(t, Save(dir, k, SaveOptions{}))
			again, err := Open(dir, Options{})
			require.NoError(t, err)
			requireEqualCheckpoints(t, k, again)
			want, got := *k.Model.Config(), *again.Model.Config()
			want.Raw, got.Raw = nil, nil
			assert.Equal(t, want, got)
			_, err = os.Stat(filepath.Join(dir, generationFile))
			assert.ErrorIs(t, err, os.ErrNotExist, "a classifier generates nothing")
			tally.Compared(1)
		})
	}
}

// base opens a fixture that is a language model.
func base(t *testing.T, name string) *Checkpoint {
	t.Helper()
	k, err := Open(filepath.Join(oracle.Roots(t, "models")[0], name), Options{})
	require.NoError(t, err)
	return k
}

// savedFields saves a checkpoint and gives its config.json.
func savedFields(t *testing.T, dir string, k *Checkpoint) map[string]any {
	t.Helper()
	require.NoError(t, Save(dir, k, SaveOptions{}))
	raw, err := os.ReadFile(filepath.Join(dir, configFile))
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(raw, &fields))
	return fields
}

func TestALanguageModelBecomesAClassifier(t *testing.T) {
	for name, classes := range map[string][2]string{
		"llama_gqa":   {"LlamaForSequenceClassification", "LlamaForTokenClassification"}, // a head of its own
		"gemma3_text": {"Gemma3TextForSequenceClassification", "Gemma3TextForTokenClassification"},
		"gpt2":        {"GPT2ForSequenceClassification", "GPT2ForTokenClassification"},
		"gpt_neox":    {"GPTNeoXForSequenceClassification", "GPTNeoXForTokenClassification"},
	} {
		for i, kind := range []model.HeadKind{model.SequenceClassification, model.TokenClassification} {
			t.Run(name+kind.String(), func(t *testing.T) {
				k := base(t, name)
				var err error
				k.Head, err = model.NewHead(k.Model, kind, []string{"bad", "good", "odd"}, 5)
				require.NoError(t, err)
				k.Head.Problem = "single_label_classification"
				dir := filepath.Join(t.TempDir(), "saved")
				fields := savedFields(t, dir, k)
				assert.Equal(t, []any{classes[i]}, fields["architectures"])
				assert.Equal(t, map[string]any{"0": "bad", "1": "good", "2": "odd"}, fields["id2label"])
				assert.Equal(t, map[string]any{"bad": 0.0, "good": 1.0, "odd": 2.0}, fields["label2id"])
				again, err := Open(dir, Options{})
				require.NoError(t, err)
				requireEqualCheckpoints(t, k, again)
				assert.True(t, again.Model.Config().NoLanguageHead)
				_, err = generate.New(again.Model, generate.Config{})
				assert.ErrorContains(t, err, "want a model with a language head")
			})
		}
	}
}

func TestAValueHeadStandsBesideTheLanguageHead(t *testing.T) {
	k := base(t, "llama_gqa")
	var err error
	k.Head, err = model.NewHead(k.Model, model.Value, nil, 5)
	require.NoError(t, err)
	k.Head.Linear.Bias.Data()[0] = 0.5
	dir := filepath.Join(t.TempDir(), "saved")
	fields := savedFields(t, dir, k)
	assert.Equal(t, []any{"LlamaForCausalLM"}, fields["architectures"])
	again, err := Open(dir, Options{})
	require.NoError(t, err)
	requireEqualCheckpoints(t, k, again)
	var names []string
	for n := range again.whole().Params() {
		names = append(names, n)
	}
	assert.True(t, slices.Contains(names, "lm_head.weight") && slices.Contains(names, "v_head.summary.bias"))
}

func TestHeadsThatCannotBeAreRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "saved")
	k := base(t, "llama_gqa")
	var err error
	k.Head, err = model.NewHead(k.Model, model.SequenceClassification, []string{"a", "a"}, 5)
	require.NoError(t, err)
	err = Save(dir, k, SaveOptions{})
	require.ErrorIs(t, err, model.ErrHead)
	assert.ErrorContains(t, err, `2 labels with 1 different names`)
	_, err = SaveGGUF(filepath.Join(t.TempDir(), "x.gguf"), k, GGUFOptions{})
	assert.ErrorContains(t, err, "a ForSequenceClassification head in a GGUF file")
	k.Head.Labels = []string{"a", "b"}
	fields := savedFields(t, dir, k)
	for _, c := range []struct {
		change map[string]any
		want   string
	}{
		{map[string]any{"num_labels": 3}, "num_labels is 3, want 2, the number of names in id2label"},
		{map[string]any{"num_labels": 0, "id2label": nil}, "0 labels, want 1 to 1048576"},
		{map[string]any{"id2label": map[string]string{"0": "a", "2": "b"}}, "id2label has 2 names but none for 1"},
		{map[string]any{"id2label": map[string]string{"0": "a"}, "num_labels": nil}, "score.weight has shape [2 32], want [1 32]"},
		{map[string]any{"architectures": []string{"LlamaForCausalLM"}}, "weight is missing: lm_head.weight"},
	} {
		changed := map[string]any{}
		for key, v := range fields {
			changed[key] = v
		}
		for key, v := range c.change {
			changed[key] = v
		}
		raw, err := json.Marshal(changed)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, configFile), raw, 0o644))
		_, err = Open(dir, Options{})
		assert.ErrorContains(t, err, c.want)
	}
	k.Head = nil
	k.Model.Config().NoLanguageHead = true
	assert.ErrorIs(t, Save(dir, k, SaveOptions{}), ErrUnsupported)
}
