package report

// tiles are the facts that people look for first.
func (in *inputs) tiles() []tile {
	var all []tile
	add := func(name, value, more string) {
		if value != "" {
			all = append(all, tile{name, value, more})
		}
	}
	options := map[string]string{}
	for _, f := range facts(in.run.options) {
		options[f.Name] = f.Value
	}
	add("Kind of training", label(in.run.stage, maxName), "")
	add("Model", label(options["settings.model"], maxName), "")
	if g := &in.metrics.train; g.seen {
		more := ""
		if planned := options["max_steps"]; planned != "" && planned != "0" {
			more = "of " + planned
		}
		add("Steps", formatInt(g.step), more)
	}
	add("Epochs", in.latest("epoch"), "")
	add("Tokens", in.latest("num_tokens"), "")
	if s := in.metrics.train.names["loss"]; s != nil && s.n > 0 {
		add("Training loss", format(s.last.value), "from "+format(s.first.value)+" at step "+formatInt(s.first.step))
	}
	metric := options["watch.metric"]
	if metric == "" {
		metric = "eval_loss"
	}
	if value, ok := in.run.result["best_value"]; ok {
		add("Best "+metric, format(value), "at step "+format(in.run.result["best_step"]))
	}
	return all
}

// latest is the last value of a metric of training.
func (in *inputs) latest(name string) string {
	if s := in.metrics.train.names[name]; s != nil && s.n > 0 {
		return format(s.last.value)
	}
	return ""
}

// directions takes from run.json where the watched metric should go.
func (r *runFile) directions() directions {
	metric, sign := "", -1.0
	for _, f := range facts(r.options) {
		switch f.Name {
		case "watch.metric":
			metric = f.Value
		case "watch.higher_is_better":
			if f.Value == "true" {
				sign = 1
			}
		}
	}
	return directions{metric: sign}
}
