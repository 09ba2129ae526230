// Package unpaired trains policies on single answers with a label, desirable or
// not: what users leave behind with a thumb up or down, where nobody compared two
// answers to the same prompt.
//
// Start with New, which takes a policy and a source of packed rows (Batcher) and
// returns a Trainer, like package dpo, whose policies, references and memory plans
// it shares. The losses are KTO, the default, APOZero and BCO, or a caller's own.
// Prepare makes rows of labelled texts; data.Unpair makes those of comparisons.
//
// What a loss compares rows with is settled before the first gradient of an
// optimizer step: KTO's z is the mean over all rows of the step (with
// train.PerMicroBatch of each micro-batch, as TRL does), BCO's δ the mean reward
// of all rows so far. So a step's gradient does not depend on how it is cut into
// micro-batches. It costs one forward pass of the policy more, for KTO two, with
// the reference's.
//
// Limitations: those of package dpo; prompts are not shared between rows; the
// reference is computed live, so that training all weights needs
// dpo.Reference.Model.
package unpaired
