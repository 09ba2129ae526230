package data

// gsm8k renders a row of GSM8K (Cobbe et al. 2021, arXiv:2110.14168) as prompt
// and completion.
func gsm8k(question, answer string) (prompt, completion string) {
	return "Question: " + question + "\nAnswer:", " " + answer
}

// alpaca renders a row of the Alpaca shape with the prompt of Stanford Alpaca
// (Taori et al. 2023, train.py); a system text, which that work does not know,
// takes the place of the opening sentence.
func alpaca(system, instruction, input string) string {
	opening := "Below is an instruction that describes a task. Write a response that appropriately completes the request."
	if input != "" {
		opening = "Below is an instruction that describes a task, paired with an input that provides further context. " +
			"Write a response that appropriately completes the request."
		input = "### Input:\n" + input + "\n\n"
	}
	if system != "" {
		opening = system
	}
	return opening + "\n\n### Instruction:\n" + instruction + "\n\n" + input + "### Response:"
}
