// Package guard keeps reinforcement learning from running off: coefficients that follow a
// target (AdaptiveKL, Lagrangian), curves that say when more reward means
// less of what was meant (Curve), and alarms that stop a run with a reason.
//
// An Alarm is asked after each step with the metrics of the step. All state is in exported
// fields, so that a value saved as JSON goes on where it was. Nothing here is safe for
// concurrent use. Alarms watch numbers: they cannot see what no metric measures.
package guard
