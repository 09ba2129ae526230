// Package posttrain is the root of a library that post-trains small language
// models on the machine it runs on.
package posttrain
