package generate

import (
	"errors"
	"fmt"
	"math"
)

// Options say how to continue a text. The zero value decodes greedily up to 256
// tokens or the model's end token.
type Options struct {
	MaxTokens   int      // new tokens at most; 0 means 256
	Temperature float64  // 0 means greedy; divides the logits otherwise
	TopK        int      // keep the k most likely tokens; 0 keeps all
	TopP        float64  // keep the smallest set of likeliest tokens with at least this mass; 0 or 1 keeps all
	MinP        float64  // keep tokens with at least this share of the likeliest one's probability; 0 keeps all
	StopIDs     []int32  // ids that end a text, beside the model's own end tokens
	IgnoreEOS   bool     // do not stop at the model's end tokens
	Stop        []string // texts that end a completion; it is cut before them

	Seed uint64
	// First is the number of the first prompt: prompt i draws the random numbers
	// of First+i, so that a list of prompts can be continued in parts.
	First int
}

func (o Options) withDefaults() Options {
	if o.MaxTokens == 0 {
		o.MaxTokens = 256
	}
	if o.TopP == 0 {
		o.TopP = 1
	}
	return o
}

// Validate reports everything wrong with the options.
func (o Options) Validate() error {
	var errs []error
	if o.MaxTokens < 0 {
		errs = append(errs, fmt.Errorf("generate: MaxTokens is %d, want a positive number or 0 for 256", o.MaxTokens))
	}
	if !(o.Temperature >= 0) || math.IsInf(o.Temperature, 0) {
		errs = append(errs, fmt.Errorf("generate: Temperature is %g, want 0 (greedy) or more", o.Temperature))
	}
	if o.TopK < 0 {
		errs = append(errs, fmt.Errorf("generate: TopK is %d, want 0 (off) or more", o.TopK))
	}
	if !(o.TopP >= 0 && o.TopP <= 1) {
		errs = append(errs, fmt.Errorf("generate: TopP is %g, want 0 to 1", o.TopP))
	}
	if !(o.MinP >= 0 && o.MinP <= 1) {
		errs = append(errs, fmt.Errorf("generate: MinP is %g, want 0 to 1", o.MinP))
	}
	if o.First < 0 || o.First > math.MaxInt32 {
		errs = append(errs, fmt.Errorf("generate: First is %d, want 0 to %d", o.First, math.MaxInt32))
	}
	for i, s := range o.Stop {
		if s == "" {
			errs = append(errs, fmt.Errorf("generate: Stop[%d] is empty", i))
		}
	}
	return errors.Join(errs...)
}

// Finish says why a sequence ended.
type Finish string

// Finish reasons.
const (
	FinishLength Finish = "length" // MaxTokens reached, or the cache is full
	FinishEOS    Finish = "eos"    // an end token; it is the last of the ids
	FinishStop   Finish = "stop"   // a stop string appeared in the text
)

// Token is one generated token.
type Token struct {
	ID             int32
	LogProb        float64 // nats, raw model
	SamplerLogProb float64 // nats, under the distribution it was sampled from; 0 when greedy
	Text           string  // text that this token completes; empty without Config.Decode
	Finish         Finish  // of the sequence, on its last token; else empty
}

// Completion is a continued text.
type Completion struct {
	Tokens []Token
	Text   string // decoded, cut before a stop string; empty without Config.Decode
	Finish Finish
}

// IDs are the ids of the completion's tokens.
func (c *Completion) IDs() []int32 {
	ids := make([]int32, len(c.Tokens))
	for i, t := range c.Tokens {
		ids[i] = t.ID
	}
	return ids
}
