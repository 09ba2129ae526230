// Package train is the training loop: optimizer, schedules, accumulation,
// clipping, metrics, evaluation, checkpoints and exact resume. It knows nothing
// of text or models. What is trained, on what and with which loss is a [Stage];
// packages sft, dpo, reward and rlhf implement it.
//
// Start with [New]. [Trainer.Steps] is the loop as an iterator,
// [Trainer.Train] runs it to its end with [Hooks]. [Options] says what their
// zero values mean; with [Options.Out] set, everything is kept in a run folder
// from which a killed run continues as if it had never stopped.
//
// # The denominator
//
// A stage adds up loss·weight; the loop divides once an optimizer step, by the
// weight of all micro-batches. How a batch is cut into micro-batches therefore
// does not matter: 8 rows at once, 8×1 and 4×2 give the same gradient. (The mean
// of micro-batch means, which many trainers use, gives rows of small
// micro-batches more weight; [PerMicroBatch] reproduces it.)
//
// # Update rules
//
// [AdamW] is the default; [Adam], [SGD], [RMSprop], [Lion], [Adagrad], [Adamax],
// [NAdam], [RAdam], [Adafactor], [TorchAdafactor], [Muon], [ScheduleFreeAdamW] and
// [ScheduleFreeSGD] follow the libraries they are named after. An [Optimizer] of
// your own works as they do. Where a rule takes gradients elsewhere than it has
// its result, see [EvalPoint].
//
// # Determinism
//
// Results do not depend on the number of cores, on the clock or on map order.
// Timing fields (listed in docs/metrics.md) are the only values of a run that
// two runs do not share.
//
// # Limitations
//
// The batch of a step that failed is lost: after an error of a stage the trainer
// stops for good, and the run continues from its last checkpoint. Two processes
// must not write to one run folder; nothing locks it.
package train
