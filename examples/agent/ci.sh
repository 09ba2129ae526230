#!/usr/bin/env bash
# Lets the embedded model talk with the calculator for a moment: wants both stages,
# their files, equal results when resumed and on one thread, and clear refusals.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/agent" ./examples/agent

small=(-json -eval-limit 8 -examples 100 -called 0.9 -warmup 12 -prompts 4 -completions 4 -steps 4 -save-every 2 -eval-every 0)
"$out/agent" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
test "$(grep -c '^{"event":"result"' "$out/lines")" = 2
tail -1 "$out/lines" | grep -q '^{"event":"result","step":4.*"eval_tool_call_share":.*"accuracy":'
grep '"event":"step"' "$out/lines" | tail -1 | grep -q '"rewards/exact/mean":.*"rewards/called/mean":'
for file in report.html warm-up/report.html rl/report.html rl/adapter_model.safetensors rl/samples.jsonl; do
  test -s "$out/run/$file"
done

# Stopped in the second stage and resumed on one thread: the first is passed over, the
# second ends with the same bits.
cp -r "$out/run" "$out/cut"
rm -r "$out/cut/rl/checkpoints/step-000004" "$out"/cut/rl/adapter_* "$out/cut/rl/report.html"
sed -i 's/"finished": *true/"finished": false/' "$out/cut/rl/run.json"
echo step-000002 >"$out/cut/rl/checkpoints/last"
"$out/agent" "${small[@]}" -out "$out/cut" -resume -threads 1 >/dev/null
cmp "$out/run/rl/adapter_model.safetensors" "$out/cut/rl/adapter_model.safetensors"

for wrong in '-called 2' '-data nowhere.jsonl' '-resume' '-model nowhere'; do
  # shellcheck disable=SC2086
  if "$out/agent" $wrong 2>"$out/stderr" >/dev/null; then
    echo "should be refused: $wrong" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
done
