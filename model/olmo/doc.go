// Package olmo builds models of the OLMo 2 family (model_type olmo2): norms after
// each half of a layer, and norms of queries and keys over all heads together.
//
// OLMo team 2024, "2 OLMo 2 Furious", arXiv:2501.00656.
package olmo
