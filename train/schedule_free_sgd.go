package train

// ScheduleFreeSGD is gradient descent that needs no schedule (Defazio et al.
// 2024, arXiv:2405.15682, eq. 2-4), as the package schedulefree computes it:
// ScheduleFreeAdamW with u = g + λ·y and the momentum μ in place of β1.
type ScheduleFreeSGD struct {
	// LR is η; 0 means 1.
	LR float64 `json:"lr"`
	// Momentum is μ; 0 means 0.9.
	Momentum float64 `json:"momentum"`
	// WeightDecay is λ, at y; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// WarmupSteps is the number of steps over which the rate rises; 0 is none.
	WarmupSteps int `json:"warmup_steps,omitempty"`
	// R is the power of t in the average; 0 means all steps count alike.
	R float64 `json:"r,omitempty"`
	// WeightLRPower is the power of the rate in the average; nil means 2.
	WeightLRPower *float64 `json:"weight_lr_power,omitempty"`
}

// Name is "schedule_free_sgd".
func (ScheduleFreeSGD) Name() string { return "schedule_free_sgd" }

// BaseLR is the learning rate with its default filled in.
func (o ScheduleFreeSGD) BaseLR() float64 { return o.withDefaults().LR }

func (o ScheduleFreeSGD) withDefaults() ScheduleFreeSGD {
	o.LR, o.Momentum = orDefault(o.LR, 1), orDefault(o.Momentum, 0.9)
	if o.WeightLRPower == nil {
		o.WeightLRPower = new(2.0)
	}
	return o
}

// Validate reports all faults at once.
func (o ScheduleFreeSGD) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "ScheduleFreeSGD"}
	c.positive("LR", o.LR)
	c.fraction("Momentum", o.Momentum)
	c.notNegative("WeightDecay", o.WeightDecay)
	c.want("WarmupSteps", o.WarmupSteps, o.WarmupSteps >= 0, "at least 0")
	c.notNegative("R", o.R)
	c.notNegative("WeightLRPower", *o.WeightLRPower)
	return c.err()
}

// Start allocates z, and memory for y while x is in its place.
func (o ScheduleFreeSGD) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	r := &freeRule{beta1: o.Momentum, average: averaging{warmup: o.WarmupSteps, r: o.R, power: *o.WeightLRPower}}
	return r.start(slots, o.WeightDecay)
}
