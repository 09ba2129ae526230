#!/usr/bin/env bash
# Trains the embedded model on comparisons for a moment, with every loss; wants the
# files of a run folder, equal results when resumed, and clear refusals.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/orpo" ./examples/orpo

small=(-json -limit 100 -eval-limit 8 -batch-tokens 256 -steps 4 -save-every 2)
"$out/orpo" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
grep '"event":"eval","step":0' "$out/lines" | grep -q '"eval_rewards/accuracies":.*"eval_drift/chosen":0'
tail -1 "$out/lines" | grep -q '^{"event":"result","step":4.*"eval_rewards/margins":'
for file in run.json metrics.jsonl samples.jsonl report.html adapter_config.json adapter_model.safetensors; do
  test -s "$out/run/$file"
done
grep -q 'may well fall' "$out/run/report.html"
"$out/orpo" "${small[@]}" -out "$out/run" -resume -threads 1 >/dev/null

# Comparisons from a file, with every loss.
for i in 1 2 3 4 5 6; do
  echo '{"prompt":"'$i' and '$i' is ","chosen":"'$((2 * i))'","rejected":"'$((2 * i + 1))', I think"}'
done >"$out/pairs.jsonl"
for loss in cpo cpo_hinge cpo_ipo simpo alphapo alphapo_sum; do
  "$out/orpo" -json -loss $loss -data "$out/pairs.jsonl" -eval-data "$out/pairs.jsonl" -steps 2 | tail -1 | grep '"eval_rewards/accuracies"' >/dev/null
done
for wrong in '-loss klingon' '-data nowhere.jsonl' '-steps 0'; do
  # shellcheck disable=SC2086
  if "$out/orpo" $wrong 2>"$out/stderr" >/dev/null; then
    echo "should be refused: $wrong" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
done
