// Package reward scores completions, by rules and by learned models. A Verifier checks one Sample by a rule and
// returns a number: 1 for right and 0 for wrong unless its comment says
// otherwise. Verifiers are plain values; Composite weighs several by name.
//
// Start with Math or GSM8K for answers, Think for the form, and Composite to put
// them together; Score runs a verifier over a batch.
//
// An error is an error, never reward 0: it means that no reward is known (the
// reference is missing, the context ended), and a trainer must not learn from
// it. A completion that is wrong, malformed or hostile is a wrong completion: 0
// without an error. Verifiers keep no state, give the same result for the same
// sample always, and are bounded on any text; each looks at its context before
// and after its work, which is short (Code that runs programs is not here).
package reward
