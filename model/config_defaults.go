package model

// Defaults are the values of a family for fields that config.json leaves out:
// transformers writes only what differs from the class, so each family has its
// own. A zero field stands for what most families have.
type Defaults struct {
	TieWordEmbeddings bool    // false
	AttentionBias     bool    // false
	HeadDim           int     // hidden_size / num_attention_heads
	RMSNormEps        float64 // 1e-6
	HiddenAct         string  // silu
	QueryScale        float64 // HeadDim
	RopeTheta         float64 // 10000
	LocalRopeTheta    float64 // sliding layers share the base of full ones
	SlidingWindow     int     // none
	WindowOff         bool    // use_sliding_window is true
	FullLayers        int     // max_window_layers: the first so many layers are full; 0
	SlidingPattern    int     // every so-manieth layer is full; 0: none is
}
