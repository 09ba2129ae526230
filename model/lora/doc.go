// Package lora attaches adapters to the layers of a model, reads and writes them as
// PEFT folders, and merges them into the base weights.
//
// Kinds of adapters (Config.Method), with their papers:
//
//	LoRA             W + s·B·A. Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023
//	                 (rank-stabilised scaling), arXiv:2312.03732
//	  DoRA           the rows of the sum have a trained length. Liu et al. 2024,
//	                 arXiv:2402.09353
//	  PiSSA, OLoRA   the update starts as a part of W. Meng et al. 2024,
//	                 arXiv:2404.02948; Büyükakyüz 2024, arXiv:2406.01775
//	IA3              vectors that multiply. Liu et al. 2022, arXiv:2205.05638
//	AdaLoRA          W + s·B·diag(E)·A whose ranks are spread by package adalora. Zhang
//	                 et al. 2023, arXiv:2303.10512
//	CURLoRA          W + C·U·R with columns and rows of W. Fawi 2024, arXiv:2408.14572
//	LoHa             W + s·(B1·A1) ⊙ (B2·A2). Hyeon-Woo et al. 2021, arXiv:2108.06098
//	TrainableTokens  rows of the embedding or the head; beside LoRA too (Config.Tokens)
//
// Adapters on the embedding and on the output head follow PEFT. PlusMatch is for LoRA+.
//
// Start with Attach for a fresh adapter and Load for one on disk. Several
// adapters can sit on one base under different names; a graph is built with one
// of them (model.Inputs.Adapter) or with none, and without one it computes the
// base bit for bit. Dropout acts where model.Inputs.Training is set; its mask depends on
// the program's seed and step, the layer's path and the position only.
//
// Beside updates an adapter can have whole copies of some layers
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
// (Merged.Untied). PEFT does the same. Trained rows of tokens count in both.
//
// PiSSA and OLoRA change the base while the adapter is attached: it is then a residual,
// and a graph without the adapter is not the model that was opened. Remove gives the
// base back bit for bit (a copy of the adapted weights is kept for that), and Save
// writes a plain adapter of rank 2r for the whole base. A PEFT folder that says it was
// made so (init_lora_weights "pissa" or "olora") belongs to the whole base, which is
// decomposed when it is loaded; PEFT decomposes in float32, so that residuals differ by
// some 1e-5 of the largest logit.
//
// Limitations: magnitudes (DoRA) and IA³'s factors of what comes out are not for the
// head, nor anything but LoRA and rows of tokens for the embedding, nor anything but
// plain LoRA for experts. Initialisations that look at data (CorDA, LoRA-GA, EVA) or
// at a quantised base (LoftQ), updates of raw parameters, and adapters of other types are
// refused by name. A module to save is a linear layer, a norm, the embedding or
// the head, not a block of several layers. A bias on B is refused at the embedding
// (as in PEFT) and at the head, and cannot be merged into a layer without a bias.
// CURLoRA's folders are our own. DoRA's lengths are computed anew in every run, which
// costs a product of B and A a layer. Patterns have the syntax of package regexp.
package lora
