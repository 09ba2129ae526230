package lora

// PlusMatch are the patterns of a group of parameters (train.Group.Match) that LoRA+
// trains at a higher learning rate than A: B, with its bias, and what has one
// dimension, as PEFT groups them. The paper's ratio of rates is 16.
//
// Hayou et al. 2024, "LoRA+: Efficient Low Rank Adaptation of Large Models",
// arXiv:2402.12354, §4.
func PlusMatch() []string {
	return []string{"*.lora_B.*", "*.lora_magnitude_vector.*", "*.bias.*"}
}
