#!/usr/bin/env bash
# Trains a reward model and then the embedded model against it for a moment: wants
# events, the files of a run folder, gold accuracy beside the learned reward, equal
# results when resumed in the middle of a rollout, and a stop with its reason.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/ppo" ./examples/ppo

small=(-json -threads 1 -eval-limit 16 -prompts 4 -completions 4 -judged 32 -reward-steps 4 -steps 6 -save-every 3 -eval-every 2)
"$out/ppo" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
tail -1 "$out/lines" | grep -q '^{"event":"result","step":6.*"eval_reward":.*"accuracy":'
test "$(grep -c '"event":"step"' "$out/lines")" = 6
grep '"event":"eval"' "$out/lines" | head -1 | grep -q '"step":0.*"eval_reward":.*"accuracy":'
grep '"event":"step"' "$out/lines" | head -1 | grep -q '"loss/value_avg":.*"objective/kl":0.*"rewards/model/mean":.*"rewards/exact/mean":.*"entropy":.*"kl_coef":'
grep '"event":"sample"' "$out/lines" | grep -q '"rewards/model":'
for file in run.json metrics.jsonl samples.jsonl report.html adapter_config.json adapter_model.safetensors reward/model.safetensors checkpoints/last checkpoints/best; do
  test -s "$out/run/$file"
done

# Interrupted at step 3, in the middle of a rollout, a run ends with the same bits.
cp -r "$out/run" "$out/again"
rm -rf "$out/again"/checkpoints/step-000006 "$out/again"/adapter_* "$out/again"/report.html
sed -i 's/"finished": *true/"finished": false/' "$out/again/run.json"
echo step-000003 >"$out/again/checkpoints/last"
"$out/ppo" "${small[@]}" -out "$out/again" -resume -threads 2 >/dev/null
cmp "$out/run/adapter_model.safetensors" "$out/again/adapter_model.safetensors"
cmp "$out/run/samples.jsonl" "$out/again/samples.jsonl"

# A reward model from a folder, and a budget of KL that is used up at once.
"$out/ppo" "${small[@]}" -reward "$out/run/reward" -steps 40 -lr 0.02 -warmup 0 -kl-budget 1e-6 -out "$out/stopped" >"$out/lines"
tail -1 "$out/lines" | grep -q '"stopped":"objective/kl: '
grep -q '"stopped"' "$out/stopped/run.json"
