#!/usr/bin/env bash
# Trains the embedded model on labelled answers for a moment, with every loss; wants
# the files of a run folder, equal results when resumed, and clear refusals.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/kto" ./examples/kto

small=(-json -limit 100 -eval-limit 8 -batch-tokens 256 -steps 4 -save-every 2)
"$out/kto" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
grep '"event":"eval","step":0' "$out/lines" | grep -q '"eval_loss":0.5,.*"eval_kl":0.*"eval_rewards/margins":0'
tail -1 "$out/lines" | grep -q '^{"event":"result","step":4.*"eval_rewards/margins":'
for file in run.json metrics.jsonl samples.jsonl report.html adapter_config.json adapter_model.safetensors; do
  test -s "$out/run/$file"
done
grep -q 'may well fall' "$out/run/report.html"
"$out/kto" "${small[@]}" -out "$out/run" -resume -threads 1 >/dev/null

# All weights, and the other losses.
"$out/kto" "${small[@]}" -full -loss bco -out "$out/full" | grep '"event":"step"' | grep -q '"delta":'
test -s "$out/full/model.safetensors"
"$out/kto" "${small[@]}" -loss apo_zero_unpaired | tail -1 | grep -q '"eval_rewards/margins"'

# Rows of a file; one class teaches nothing to compare with.
for i in 1 2 3 4 5 6; do
  echo '{"prompt":"'$i' and '$i' is ","completion":"'$((2 * i))'","label":true}'
done >"$out/good.jsonl"
sed 's/true/false/; s/"completion":"/&no /' "$out/good.jsonl" | cat "$out/good.jsonl" - >"$out/both.jsonl"
"$out/kto" -json -data "$out/both.jsonl" -eval-data "$out/both.jsonl" -steps 2 | tail -1 | grep -q '"eval_kl"'
for wrong in "-data $out/good.jsonl -eval-data $out/good.jsonl" '-loss klingon' '-steps 0'; do
  # shellcheck disable=SC2086
  if "$out/kto" $wrong 2>"$out/stderr" >/dev/null; then
    echo "should be refused: $wrong" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
done
