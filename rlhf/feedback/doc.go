// Package feedback lets a language model, or anything that judges texts, take the
// place of people who label: RLAIF and Constitutional AI.
//
//   - Revise lets a Writer draft answers, criticise them by written principles and
//     revise them. What comes out is rows for supervised fine-tuning (Revised.Row) and
//     preferences of the revision over the draft (Revised.Pair).
//   - Label asks a Judge which of several answers is better, always in both orders,
//     and gives preferences for a reward model or dpo, with LabelStats that say how far
//     the judge likes places.
//   - WinRate makes a rollout.Rewarder of a Judge: the score of a completion is how often
//     it beats the others of its group. Reinforcement learning on it needs no reward
//     model.
//   - Refresh trains a reward model again on fresh rollouts, every few of them, while
//     the policy that it rewards moves.
//
// Writer and Judge are small on purpose: NewWriter makes a Writer of a
// generate.Generator, and a dpo/online.Comparer, such as a language model that reads
// both answers, becomes a Judge in a few lines (see the example).
//
// Bai et al. 2022, "Constitutional AI: Harmlessness from AI Feedback",
// arXiv:2212.08073. Lee et al. 2023, "RLAIF vs. RLHF", arXiv:2309.00267.
//
// # Limitations
//
// A judge is believed: what it likes by mistake is what is learnt. Measure with
// something it has not seen. Judges and writers must say the same when asked the
// same for a run to repeat bit for bit.
package feedback
