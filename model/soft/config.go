package soft

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/model"
)

// ErrConfig is wrapped by errors about a prompt's configuration.
var ErrConfig = errors.New("soft: configuration is wrong")

// Kind is what is learned about the virtual tokens.
type Kind uint8

// The kinds.
const (
	PromptTuning Kind = iota // embeddings
	PrefixTuning             // keys and values of every layer
	PTuning                  // embeddings, by way of an MLP
)

// kindNames are PEFT's names of the kinds.
var kindNames = [...]string{"PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"}

// String is PEFT's name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Limits of a configuration: a file may ask for much.
const (
	maxTokens = 1 << 16
	maxWidth  = 1 << 20
)

// Config says what virtual tokens there are. The zero value is prompt tuning with
// 20 tokens.
type Config struct {
	Kind   Kind
	Tokens int // virtual tokens; 0 means 20
	// InitIDs are token ids of a text whose embeddings PromptTuning starts from,
	// cut or repeated to Tokens. Nil draws embeddings from N(0, 1), PEFT's "RANDOM".
	InitIDs []int32
	// Projection makes PrefixTuning learn its keys and values by way of an MLP.
	Projection bool
	// Width is the hidden width of the MLP; 0 means that of what it reads.
	Width int
	// Zero starts the keys and values of PrefixTuning at 0 instead of N(0, 1), or
	// the last layer of its MLP.
	Zero bool
	// Seed keys the initial values. It is not written to a PEFT folder.
	Seed uint64

	// BaseModel, Revision and TaskType are what a PEFT folder says about the model
	// that the prompt belongs to. They are kept and written, and influence nothing
	// here. TaskType "" means CAUSAL_LM.
	BaseModel, Revision, TaskType string
}

func (c Config) withDefaults(m model.Model) Config {
	if c.Tokens == 0 {
		c.Tokens = 20
	}
	if c.Width == 0 {
		c.Width = c.tokenWidth(m.Config())
	}
	if c.TaskType == "" {
		c.TaskType = "CAUSAL_LM"
	}
	return c
}

// tokenWidth is the width of the embedding of a virtual token: that of the model,
// or that of its keys.
func (c Config) tokenWidth(m *model.Config) int {
	if c.Kind == PrefixTuning {
		return m.NumKeyValueHeads * m.HeadDim
	}
	return m.HiddenSize
}

// resultWidth is the width of what a virtual token becomes.
func (c Config) resultWidth(m *model.Config) int {
	if c.Kind == PrefixTuning {
		return 2 * m.NumHiddenLayers * c.tokenWidth(m)
	}
	return m.HiddenSize
}

// encodes says whether there is an MLP.
func (c Config) encodes() bool { return c.Kind == PTuning || c.Projection }

// Validate reports everything wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	if int(c.Kind) >= len(kindNames) {
		bad("kind is %v, want PromptTuning, PrefixTuning or PTuning", c.Kind)
	}
	if c.Tokens < 0 || c.Tokens > maxTokens {
		bad("tokens is %d, want 1 to %d (0 for 20)", c.Tokens, maxTokens)
	}
	if c.Width < 0 || c.Width > maxWidth {
		bad("width is %d, want 1 to %d (0 for that of the input)", c.Width, maxWidth)
	}
	if c.Kind != PromptTuning && len(c.InitIDs) > 0 {
		bad("ids to start from are given for %v, want PROMPT_TUNING", c.Kind)
	}
	if c.Kind != PrefixTuning && (c.Projection || c.Zero) {
		bad("a projection or a start at zero is given for %v, want PREFIX_TUNING", c.Kind)
	}
	return errors.Join(errs...)
}
