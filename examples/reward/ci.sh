#!/usr/bin/env bash
# Trains a reward model for a moment: an adapter, all weights, and outcomes; wants
# the files of a run folder, TRL's names, and equal results when resumed.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/reward" ./examples/reward

small=(-json -limit 200 -eval-limit 16 -batch-tokens 256 -steps 6 -save-every 2)
"$out/reward" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
for name in eval_loss eval_accuracy eval_accuracy_low eval_margin eval_mean_reward eval_ece eval_length_correlation eval_longer_preferred; do
  tail -1 "$out/lines" | grep -q "^{\"event\":\"result\",\"step\":6.*\"$name\":"
done
test "$(grep -c '"event":"step".*"accuracy":.*"margin":' "$out/lines")" = 6
grep -q '"event":"sample".*"reward":' "$out/lines"
for file in run.json metrics.jsonl samples.jsonl report.html calibration.html adapter_config.json adapter_model.safetensors checkpoints/last checkpoints/best; do
  test -s "$out/run/$file"
done
grep -q SEQ_CLS "$out/run/adapter_config.json"

# Threads do not change results, and a finished run has nothing left to do.
"$out/reward" "${small[@]}" -out "$out/part" -threads 1 >/dev/null
cmp "$out/run/adapter_model.safetensors" "$out/part/adapter_model.safetensors"
"$out/reward" "${small[@]}" -out "$out/run" -resume >/dev/null

# All weights: the result is a sequence-classification model, which goes on from
# where it was.
"$out/reward" "${small[@]}" -full -out "$out/full" >/dev/null
grep -q LlamaForSequenceClassification "$out/full/config.json"
echo '{"prompt":"1+1=","chosen":"2","rejected":"9","margin":0.5}' >"$out/pairs.jsonl"
"$out/reward" -json -model "$out/full" -data "$out/pairs.jsonl" -eval-data "$out/pairs.jsonl" -steps 2 >/dev/null

# Right and wrong answers with labels.
"$out/reward" "${small[@]}" -loss outcome_every_token | tail -1 | grep '"eval_auc":' >/dev/null

# Rankings and grades.
"$out/reward" "${small[@]}" -loss plackett_luce | tail -1 | grep '"eval_accuracy":.*"eval_margin":' >/dev/null
"$out/reward" "${small[@]}" -loss all_pairs | tail -1 | grep '"eval_accuracy":' >/dev/null
echo '{"prompt":"1+1=","completions":["2","3","99"],"scores":[1,0.5,0]}' >"$out/grades.jsonl"
"$out/reward" "${small[@]}" -model "$out/full" -data "$out/grades.jsonl" -eval-data "$out/grades.jsonl" -loss regression | tail -1 | grep '"eval_mae":' >/dev/null

# What cannot be learnt from is refused by name.
echo '{"prompt":"1+1=","chosen":"2","rejected":"2"}' >"$out/equal.jsonl"
if "$out/reward" -json -model "$out/full" -data "$out/equal.jsonl" 2>"$out/stderr" >/dev/null; then
  echo 'equal answers should be refused' >&2
  exit 1
fi
test "$(wc -l <"$out/stderr")" = 1
grep -q 'equal answers (first: .*equal.jsonl:1)' "$out/stderr"
