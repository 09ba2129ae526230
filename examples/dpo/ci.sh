#!/usr/bin/env bash
# Trains the embedded model on comparisons for a moment, with several losses and
# references; wants the files of a run folder, TRL's names, equal results when
# resumed, and clear refusals.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/dpo" ./examples/dpo

small=(-json -limit 100 -eval-limit 8 -batch-tokens 256 -steps 4 -save-every 2)
"$out/dpo" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
grep '"event":"eval","step":0' "$out/lines" | grep -q '"eval_rewards/accuracies":0,.*"eval_drift/chosen":0,.*"eval_logps/accuracy":.*"eval_objective/kl":'
tail -1 "$out/lines" | grep -q '^{"event":"result","step":4.*"eval_rewards/margins":'
for file in run.json metrics.jsonl samples.jsonl report.html adapter_config.json adapter_model.safetensors; do
  test -s "$out/run/$file"
done
grep -q 'may well fall' "$out/run/report.html"

# Cut off after two steps and resumed: the same adapter. Threads do not matter.
cp -r "$out/run" "$out/cut"
rm -r "$out/cut/checkpoints/step-000004" "$out/cut/adapter_model.safetensors" "$out/cut/adapter_config.json" "$out/cut/report.html"
echo step-000002 >"$out/cut/checkpoints/last"
"$out/dpo" "${small[@]}" -out "$out/cut" -resume -threads 1 >/dev/null
cmp "$out/run/adapter_model.safetensors" "$out/cut/adapter_model.safetensors"

# Comparisons from a file: sums of losses, cached and moving references.
for i in 1 2 3 4 5 6; do
  echo '{"prompt":"'$i' and '$i' is ","chosen":"'$((2 * i))'","rejected":"'$((2 * i + 1))', I think"}'
done >"$out/pairs.jsonl"
file=(-json -data "$out/pairs.jsonl" -eval-data "$out/pairs.jsonl" -steps 2)
for more in '-loss sigmoid:0.8,bco_pair:0.2,sft' '-loss wpo_hinge' '-loss ipo -ld-alpha 0.5' '-divergence js_divergence' '-sync-every 1' '-full' "-reference-file $out/ref.safetensors" '-perplexity 1e9'; do
  # shellcheck disable=SC2086
  "$out/dpo" "${file[@]}" $more | tail -1 | grep '"eval_rewards/accuracies"' >/dev/null
done
test -s "$out/ref.safetensors"
"$out/dpo" "${file[@]}" -reference-file "$out/ref.safetensors" >/dev/null
if "$out/dpo" "${small[@]}" -reference-file "$out/ref.safetensors" 2>"$out/stderr" >/dev/null; then
  echo 'log-probabilities of other data should be refused' >&2
  exit 1
fi
grep -q 'data differs' "$out/stderr"
for wrong in '-loss klingon' '-loss sigmoid:x' '-beta 0' '-divergence none' '-data nowhere.jsonl' '-perplexity 0.5' '-sync-every 1 -base'; do
  # shellcheck disable=SC2086
  if "$out/dpo" $wrong 2>"$out/stderr" >/dev/null; then
    echo "should be refused: $wrong" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
done
