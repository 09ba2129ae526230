// Package lora attaches low-rank adapters to the layers of a model, reads and
// writes them as PEFT folders, and merges them into the base weights.
//
// Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models",
// arXiv:2106.09685; Kalajdzievski 2023 (rank-stabilised scaling),
// arXiv:2312.03732. Adapters on the embedding and on the output head follow PEFT.
//
// Start with Attach for a fresh adapter and Load for one on disk. Several
// adapters can sit on one base under different names; a graph is built with one
// of them (model.Inputs.Adapter) or with none, and without one it computes the
// base bit for bit. Dropout acts where model.Inputs.Training is set.
//
// Beside low-rank updates an adapter can have whole copies of some layers
// (Config.ModulesToSave) and biases of its own (Config.Biases, Config.BiasOnB),
// which replace the model's while it is active. PEFT trains the model's own biases
// instead, so that there the base changes and stays changed without the adapter.
//
// An adapter on the output head counts where logits come from model.Distribution
// or from the layer model.Model.Output, not where they are made from the bare
// matrix model.Model.Head.
//
// On a model whose head is tied to its embedding, an adapter on one of the two
// leaves the other alone while it is active. Merging a low-rank update changes
// both (Merged.Shared); merging a whole copy of one of them unties the model
// (Merged.Untied). PEFT does the same.
//
// Limitations: DoRA, trained tokens, PiSSA and other initialisations that change
// the base, updates of raw parameters, and adapters of other types than LoRA are
// refused by name. A module to save is a linear layer, a norm, the embedding or
// the head, not a block of several layers. A bias on B is refused at the embedding
// (as in PEFT) and at the head, and cannot be merged into a layer without a bias.
// Patterns have the syntax of package regexp.
package lora
