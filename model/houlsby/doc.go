// Package houlsby adds bottleneck adapters to a model: after attention and after
// the feed-forward block of every layer
//
//	h ← h + W_up·act(W_down·h + b_down) + b_up
//
// where h is what the block adds to the residual stream, and only the adapters are
// trained.
//
// Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP",
// arXiv:1902.00751, section 2.1.
//
// Attach adds fresh adapters under a name; graphs that are built with that name as
// their active adapter compute with them. Package sft trains them as
// Policy.Tuner, package generate decodes with them.
//
// # Caveats
//
// W_up starts at zero, so that a fresh adapter changes nothing at all, where the
// paper draws it from N(0, 0.01²) and is only near the identity; the paper's norms
// stay frozen here. The function is not linear, so adapters cannot be merged into
// the weights. PEFT has no such adapter: Save writes a folder of the same layout,
// adapter_config.json with peft_type HOULSBY and adapter_model.safetensors, that
// only this library reads. Experts of mixture models are not adapted.
package houlsby
