package lint

import (
	"strings"
	"testing"
)

// rows are the layers of DESIGN §2: a package imports packages of lower rows
// only. A pattern that ends in /* stands for every package below that folder
// that has no row of its own.
var rows = map[string]int{
	"internal/kernel":               0,
	"tensor":                        1,
	"tensor/internal/*":             2,
	"tensor/safetensors":            3,
	"tensor/gguf":                   3,
	"tensor/bnb":                    3,
	"tensor/gradcheck":              3,
	"data/answer/internal/*":        2,
	"model/nn":                      3,
	"data/answer":                   3,
	"model":                         4,
	"data/tokenizer":                4,
	"data/chat/jinja":               4,
	"data/chat":                     5,
	"data":                          6,
	"data/parquet":                  7,
	"data/overlap":                  3,
	"train/report":                  5,
	"train/tensorboard":             5,
	"train":                         6,
	"generate":                      6,
	"model/lora":                    6,
	"model/lora/adalora":            7,
	"model/soft":                    6,
	"model/houlsby":                 6,
	"model/internal/*":              5,
	"model/llama":                   6,
	"model/qwen":                    6,
	"model/gemma":                   6,
	"model/blend":                   3,
	"model/mixtral":                 6,
	"model/olmo":                    6,
	"model/granite":                 6,
	"model/smollm":                  6,
	"model/phi":                     6,
	"model/gptneox":                 6,
	"model/gpt2":                    6,
	"model/modeltest":               7,
	"model/auto":                    7,
	"sft":                           8,
	"reward/sandbox":                3,
	"reward":                        8,
	"reward/*":                      9,
	"reward/process/label":          10,
	"dpo/internal/*":                7,
	"dpo":                           8,
	"dpo/*":                         9,
	"internal/policy":               7,
	"internal/saved":                7,
	"internal/trial":                8,
	"rlhf/rollout":                  7,
	"rlhf":                          8,
	"rlhf/advantage":                3,
	"rlhf/guard":                    3,
	"rlhf/losstest":                 9,
	"rlhf/rejection":                8,
	"rlhf/feedback":                 8,
	"eval":                          8,
	"examples/internal/*":           9,
	"examples/internal/cli":         10,
	"examples/internal/tiny/recipe": 11,
	"examples/internal/prefs":       11,
	"examples/internal/stages":      12,
	"examples/internal/problems":    11,
	"examples/*":                    13,
	"internal/lint":                 0,
	"internal/oracle":               0,
	"":                              0,
}

// row is the layer of a package; ok is false for a package without one.
func row(pkg string) (int, bool) {
	if r, ok := rows[pkg]; ok {
		return r, true
	}
	for parent := pkg; strings.Contains(parent, "/"); {
		parent = parent[:strings.LastIndexByte(parent, '/')]
		if r, ok := rows[parent+"/*"]; ok {
			return r, true
		}
	}
	return 0, false
}

func TestLayers(t *testing.T) {
	for _, f := range sources(t) {
		own, ok := row(f.pkg)
		if !ok {
			t.Errorf("%s: package %q has no row in internal/lint; see DESIGN §2", f.path, f.pkg)
			continue
		}
		if f.test {
			continue // tests may import anything
		}
		for _, im := range f.imports {
			if im != modulePath && !strings.HasPrefix(im, modulePath+"/") {
				continue
			}
			dep := strings.TrimPrefix(strings.TrimPrefix(im, modulePath), "/")
			if r, ok := row(dep); ok && r >= own {
				t.Errorf("%s imports %s: row %d may import lower rows only, that is row %d", f.path, dep, own, r)
			}
			if dep == "internal/oracle" || dep == "internal/lint" || dep == "internal/trial" {
				t.Errorf("%s imports %s, which is for tests", f.path, dep)
			}
		}
	}
}

// forbidden imports outside tests, with the folders that may use them.
var forbidden = map[string][]string{
	"math/rand":                   nil, // use math/rand/v2 with a seed, or kernel.Philox
	"log":                         nil, // use log/slog from the options
	"gorgonia.org":                {"tensor"},
	"reflect":                     {"tensor", "train", "data/chat", "data/chat/jinja"},
	"github.com/stretchr/testify": {"internal/oracle", "internal/trial", "model/modeltest", "tensor/gradcheck", "dpo/losstest", "rlhf/losstest"},
	"testing":                     {"internal/oracle", "internal/trial", "model/modeltest", "tensor/gradcheck", "dpo/losstest", "rlhf/losstest"},
}

func TestForbiddenImports(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || strings.HasPrefix(f.pkg, "examples/") {
			continue
		}
		for _, im := range f.imports {
			for bad, allowed := range forbidden {
				if im != bad && !(bad == "gorgonia.org" && strings.HasPrefix(im, "gorgonia.org/")) && !(bad == "github.com/stretchr/testify" && strings.HasPrefix(im, bad)) {
					continue
				}
				if !contains(allowed, f.pkg) {
					t.Errorf("%s imports %s", f.path, im)
				}
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
