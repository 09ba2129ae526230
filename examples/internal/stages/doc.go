// Package stages runs examples of several stages of training over one policy, each in
// a folder of its own below -out, and tells what each of them brought. A run that is
// resumed passes over the stages that are finished.
package stages
