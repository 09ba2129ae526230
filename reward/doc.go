// Package reward scores completions, by rules and by learned models.
//
// # Rules
//
// A Verifier checks one Sample by a rule and returns a number: 1 for right and 0
// for wrong unless its comment says otherwise. Verifiers are plain values;
// Composite weighs several by name. Start with Math or GSM8K for answers, Think for
// the form, and Composite to put them together; Score runs a verifier over a batch.
//
// An error is an error, never reward 0: it means that no reward is known (the
// reference is missing, the context ended), and a trainer must not learn from
// it. A completion that is wrong, malformed or hostile is a wrong completion: 0
// without an error. Verifiers keep no state, give the same result for the same
// sample always, and are bounded on any text; each looks at its context before
// and after its work, which is short (programs are run by Code, in a sandbox the caller gives it).
//
// # Learned models
//
// A Net is a language model with a head that scores answers. Prepare tokenises
// comparisons, rankings, grades or judgements into groups, NewBatcher packs them so
// that the answers of a prompt share it, New trains a Net with a Loss (BradleyTerry
// by default), and NewModel scores with it; a Model is a Verifier, too. Every step
// divides by the number of groups once, so micro-batches change nothing. Evaluations
// log how far scores can be trusted (Calibration). Losses are values of a small
// interface; Calculator computes one without a model. Package process has models
// that score steps.
//
// Scores have no unit, and comparisons fix only differences between answers to one
// prompt: do not compare scores across prompts or models. A reward model is right
// about texts like those it saw; policies that climb it leave them (see Calibration,
// and measure it on what the policy writes).
//
// Limitations of training: one device; dropout is off; adapters are those of package
// lora, with a copy of the head of their own; weights stored in 16 bits can carry an
// adapter but not be trained themselves.
package reward
