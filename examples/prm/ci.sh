#!/usr/bin/env bash
# Trains a process reward model for a moment: an adapter, and all weights with a
# scalar head; wants the files of a run folder and equal results when resumed.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/prm" ./examples/prm

small=(-json -limit 200 -eval-limit 16 -batch-tokens 256 -steps 6 -save-every 2)
"$out/prm" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
for name in eval_loss eval_accuracy eval_accuracy_low eval_ece eval_auc; do
  tail -1 "$out/lines" | grep -q "^{\"event\":\"result\",\"step\":6.*\"$name\":"
done
test "$(grep -c '"event":"step".*"accuracy":' "$out/lines")" = 6
grep -q '"event":"sample".*"step2":' "$out/lines"
for file in run.json metrics.jsonl samples.jsonl report.html calibration.html adapter_config.json adapter_model.safetensors checkpoints/last checkpoints/best; do
  test -s "$out/run/$file"
done
grep -q TOKEN_CLS "$out/run/adapter_config.json"
"$out/prm" "${small[@]}" -out "$out/one" -threads 1 >/dev/null
cmp "$out/run/adapter_model.safetensors" "$out/one/adapter_model.safetensors"
"$out/prm" "${small[@]}" -out "$out/run" -resume >/dev/null

"$out/prm" "${small[@]}" -full -scalar -out "$out/full" >/dev/null
grep -q LlamaForTokenClassification "$out/full/config.json"
echo '{"prompt":"1+1+1=","completions":["1+1=2","2+1=4"],"labels":[true,false]}' >"$out/steps.jsonl"
"$out/prm" -json -model "$out/full" -data "$out/steps.jsonl" -eval-data "$out/steps.jsonl" -steps 2 >/dev/null

# What cannot be learnt from is refused by name.
echo '{"prompt":"1+1=","completions":[],"labels":[]}' >"$out/empty.jsonl"
if "$out/prm" -json -model "$out/full" -data "$out/empty.jsonl" 2>"$out/stderr" >/dev/null; then
  echo 'solutions without steps should be refused' >&2
  exit 1
fi
test "$(wc -l <"$out/stderr")" = 1
grep -q 'without a prompt or a step (first: .*empty.jsonl:1)' "$out/stderr"
