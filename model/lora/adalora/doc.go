// Package adalora spreads the ranks of an AdaLoRA adapter over its layers while it is
// trained: it scores every singular value by its importance, and lowers the number
// of those that count by the adapter's budget (lora.Budget).
//
// Zhang et al. 2023, "AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient
// Fine-Tuning", arXiv:2303.10512, §3.
//
// Start with New and hand the result to any trainer as train.Options.Companion. After
// the run lora.Adapter.Prune drops what no longer counts.
//
// Caveats: importance is that of the weights before the optimizer's step, eq. 8–10,
// where PEFT mixes weights after the step with gradients before it. The penalty is the
// paper's, eq. 4, with squares; PEFT takes a mean of norms without them. Averages are
// kept in float64 for every element of A and B, twice.
package adalora
