// Package answer finds the final answer in a text that a model wrote and says
// whether two answers are the same.
//
// Start with GSM8K, which finds the answer of a grade-school maths solution
// however it is marked, and Equal. Hash, Line, Boxed and LastNumber look for one
// kind of mark each; First tries several in order.
//
// Equal compares answers as numbers where both are numbers, else as text. Math
// finds both answers and understands formulas ("1/2" against "0.5", "x = 3"
// against "3", sets, intervals, matrices); SameMath compares extracted ones.
package answer
