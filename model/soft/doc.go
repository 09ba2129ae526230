// Package soft tunes virtual tokens that stand before every sequence, and nothing
// of the model itself:
//
//   - PromptTuning learns their embeddings (Lester et al. 2021, arXiv:2104.08691).
//   - PrefixTuning learns their keys and values in every layer: directly, which is
//     P-Tuning v2 (Liu et al. 2021, arXiv:2110.07602), or by way of an MLP
//     (Li and Liang 2021, arXiv:2101.00190).
//   - PTuning learns their embeddings by way of an MLP (Liu et al. 2021, "GPT
//     Understands, Too", arXiv:2103.10385).
//
// Attach adds a fresh Prompt to a model under a name; graphs that are built with
// that name as their active adapter compute with it. Save and Load write and read
// PEFT folders.
//
// Virtual tokens are part of the batch: a segment of its own that is computed once
// and stands before all others. Their ids follow the vocabulary. Packages sft,
// generate and eval add them; who builds batches by hand uses model.Prompted. A
// batch without them is computed as the base model does, and a batch with them
// fails where no prompt is active.
//
// # Caveats
//
// Virtual tokens take positions, so texts begin at position Tokens and a model's
// greatest length shrinks by that. Keys of a prefix are used as they are, without
// rotation, as PEFT does; sliding windows see them only as far as they reach.
// PEFT's files hold what an encoder makes, not the encoder: Save writes that beside
// them, so that training goes on after Load. The LSTM of P-Tuning is not built:
// folders trained with it are read and used, but such an encoder cannot be trained
// here. Adapters of other kinds cannot be active at the same time. Where rotary
// factors depend on the length of a text (longrope, dynamic NTK), virtual tokens are
// a text of their own. Under a prefix, layers compute the virtual rows for nothing,
// and routers of mixtures count them.
package soft
