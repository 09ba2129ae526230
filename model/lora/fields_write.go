package lora

import (
	"bytes"
	"encoding/json"
)

// everyone is what adapter_config.json has for every method.
type everyone struct {
	PEFTType      string   `json:"peft_type"`
	TaskType      string   `json:"task_type"`
	BaseModel     *string  `json:"base_model_name_or_path"`
	Revision      *string  `json:"revision"`
	InferenceMode bool     `json:"inference_mode"`
	TargetModules any      `json:"target_modules"`
	ModulesToSave []string `json:"modules_to_save"`
}

// lowRanks is what LoRA and AdaLoRA have.
type lowRanks struct {
	ExcludeModules any      `json:"exclude_modules"`
	Alpha          float64  `json:"lora_alpha"`
	Dropout        float64  `json:"lora_dropout"`
	Bias           Biases   `json:"bias"`
	FanInFanOut    bool     `json:"fan_in_fan_out"`
	InitWeights    bool     `json:"init_lora_weights"`
	Layers         []int    `json:"layers_to_transform"`
	LayersPattern  []string `json:"layers_pattern"`
}

func (c Config) lowRanks(turned bool) lowRanks {
	return lowRanks{ExcludeModules: listOrPattern(c.Exclude, c.ExcludePattern), Alpha: c.Alpha, Dropout: c.Dropout, Bias: c.Biases,
		FanInFanOut: turned, InitWeights: true, Layers: c.Layers, LayersPattern: c.LayersPattern}
}

func writeLoRA(c Config, all everyone, turned bool) any {
	return struct {
		everyone
		lowRanks
		R            int               `json:"r"`
		RankPattern  Patterns[int]     `json:"rank_pattern"`
		AlphaPattern Patterns[float64] `json:"alpha_pattern"`
		UseRSLoRA    bool              `json:"use_rslora"`
		UseDoRA      bool              `json:"use_dora"`
		LoRABias     bool              `json:"lora_bias"`
		Tokens       tokenField        `json:"trainable_token_indices"`
	}{all, c.lowRanks(turned), c.Rank, c.RankPattern, c.AlphaPattern, c.RankStabilised, c.DoRA, c.BiasOnB, tokenField{&c.Tokens}}
}

func writeIA3(c Config, all everyone, turned bool) any {
	feedforward := listOrPattern(c.Feedforward, c.FeedforwardPattern)
	if feedforward == nil {
		feedforward = []string{} // PEFT would take its own for null
	}
	return struct {
		everyone
		ExcludeModules any  `json:"exclude_modules"`
		Feedforward    any  `json:"feedforward_modules"`
		FanInFanOut    bool `json:"fan_in_fan_out"`
		InitWeights    bool `json:"init_ia3_weights"`
	}{all, listOrPattern(c.Exclude, c.ExcludePattern), feedforward, turned, true}
}

func writeAda(c Config, all everyone, turned bool) any {
	b := c.Budget
	return struct {
		everyone
		lowRanks
		R             int       `json:"r"`
		InitR         int       `json:"init_r"`
		TargetR       int       `json:"target_r"`
		Warmup        int       `json:"tinit"`
		Final         int       `json:"tfinal"`
		Interval      int       `json:"deltaT"`
		TotalSteps    int       `json:"total_step"`
		Beta1         float64   `json:"beta1"`
		Beta2         float64   `json:"beta2"`
		Orthogonality float64   `json:"orth_reg_weight"`
		Kept          keptField `json:"rank_pattern"`
	}{all, c.lowRanks(turned), 8, c.Rank, b.TargetRank, b.Warmup, b.Final, b.Interval, b.TotalSteps, b.Beta1, b.Beta2, b.Orthogonality, keptField{&b.Kept}}
}

func writeCUR(c Config, all everyone, _ bool) any {
	return struct {
		everyone
		ExcludeModules any           `json:"exclude_modules"`
		R              int           `json:"r"`
		Dropout        float64       `json:"dropout"`
		RankPattern    Patterns[int] `json:"rank_pattern"`
		Bias           Biases        `json:"bias"`
		Layers         []int         `json:"layers_to_transform"`
		LayersPattern  []string      `json:"layers_pattern"`
	}{all, listOrPattern(c.Exclude, c.ExcludePattern), c.Rank, c.Dropout, c.RankPattern, c.Biases, c.Layers, c.LayersPattern}
}

func writeTokens(c Config, all everyone, _ bool) any {
	if all.TargetModules = nil; c.Tokens[0].Key != "" {
		all.TargetModules = []string{c.Tokens[0].Key}
	}
	return struct {
		everyone
		Indices     []int `json:"token_indices"`
		InitWeights bool  `json:"init_weights"`
	}{all, c.Tokens[0].Value, true}
}

// writePEFT is the configuration as PEFT writes it. Turned says that the adapted
// weights are stored (in, out).
func (c Config) writePEFT(turned bool) ([]byte, error) {
	all := everyone{PEFTType: c.Method.peft(), TaskType: c.TaskType, BaseModel: orNull(c.BaseModel), Revision: orNull(c.Revision), InferenceMode: true,
		TargetModules: listOrPattern(c.Targets, c.TargetPattern), ModulesToSave: c.ModulesToSave}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(c.kind().write(c, all, turned))
	return b.Bytes(), err
}
