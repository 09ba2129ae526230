#!/usr/bin/env bash
# Lets the embedded model learn sums for a moment: wants events, the files of a run
# folder, equal results when resumed in the middle of a rollout and on another number
# of threads.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/grpo" ./examples/grpo

small=(-json -eval-limit 16 -prompts 4 -completions 4 -iterations 2 -beta 0.02 -steps 6 -save-every 3 -eval-every 2)
"$out/grpo" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
tail -1 "$out/lines" | grep -q '^{"event":"result","step":6.*"accuracy":'
test "$(grep -c '"event":"step"' "$out/lines")" = 6
grep '"event":"eval"' "$out/lines" | head -1 | grep -q '"step":0.*"accuracy":'
grep '"event":"step"' "$out/lines" | head -1 | grep -q '"rewards/exact/mean":.*"frac_reward_zero_std":.*"kl":0.*"time_share/generation":'
grep '"event":"sample"' "$out/lines" | grep -q '"advantage":'
for file in run.json metrics.jsonl samples.jsonl report.html adapter_config.json adapter_model.safetensors checkpoints/last checkpoints/best; do
  test -s "$out/run/$file"
done

# Interrupted at step 3, in the middle of a rollout, a run ends with the same bits; so
# it does on one thread.
cp -r "$out/run" "$out/again"
rm -rf "$out/again"/checkpoints/step-000006 "$out/again"/adapter_* "$out/again"/report.html
sed -i 's/"finished": *true/"finished": false/' "$out/again/run.json"
echo step-000003 >"$out/again/checkpoints/last"
"$out/grpo" "${small[@]}" -out "$out/again" -resume -threads 1 >/dev/null
cmp "$out/run/adapter_model.safetensors" "$out/again/adapter_model.safetensors"
cmp "$out/run/samples.jsonl" "$out/again/samples.jsonl"

# All weights, dynamic sampling, another loss.
"$out/grpo" -json -full -loss gspo -rounds 3 -eval-limit 8 -prompts 2 -completions 4 -steps 2 -out "$out/full" >/dev/null
for file in config.json model.safetensors tokenizer.json; do
  test -s "$out/full/$file"
done
