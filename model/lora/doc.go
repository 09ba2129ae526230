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
// An adapter on the output head counts where logits come from model.Distribution
// or from the layer model.Model.Output, not where they are made from the bare
// matrix model.Model.Head.
//
// On a model whose head is tied to its embedding, an adapter on one of the two
// leaves the other alone while it is active, but changes both when it is merged;
// Merged.Shared reports it.
//
// Limitations: DoRA, PiSSA and other initialisations that change the base, biases,
// saved full modules, trained tokens, and adapters of other types than LoRA are
// refused by name. Patterns have the syntax of package regexp.
package lora
