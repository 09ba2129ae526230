package train

import "slices"

// timingNames are the fields of logs that depend on the clock. Two runs with the
// same options agree in every bit of all others.
var timingNames = []string{tokensPerSecondName, stepSecondsName, evalRuntimeName}

// IsTiming says whether a field of metrics.jsonl is a measured time or speed,
// and so exempt from equality between runs.
func IsTiming(name string) bool { return slices.Contains(timingNames, name) }
