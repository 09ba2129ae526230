// Package eval measures language models, before and after training, and says how
// sure the numbers are.
//
// Start with NewPerplexity, which scores held-out examples, and NewExactMatch,
// which lets the model answer questions and compares the answers. Both are
// train.Evaluators; their Measure methods return what they found item by item, so
// that Compare and Table can set two models against each other on the same items.
//
// Uncertainty is about which items happened to be in the test set: intervals are
// Wilson's for shares, and a bootstrap over items for the others. Differences are
// paired: item by item, which is far sharper than comparing two intervals.
// Randomness of sampled answers counts only as far as it differs between items;
// decode greedily, or ask more questions.
package eval
