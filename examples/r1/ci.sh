#!/usr/bin/env bash
# Runs all five stages on the embedded model with a small budget: wants their files, a
# report that links to them, equal results when resumed and on one thread, and clear
# refusals.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/r1" ./examples/r1

small=(-json -limit 400 -eval-limit 8 -cold 400 -cold-steps 80 -batch-tokens 1024 -prompts 4 -completions 4 -steps 2 -asked 100 -kept 4 -reject-steps 60 -second-steps 2 -student-steps 4 -save-every 20)
"$out/r1" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
test "$(grep -c '^{"event":"result".*"accuracy":' "$out/lines")" = 5
grep '"event":"step"' "$out/lines" | grep -q '"rewards/accuracy/mean":.*"rewards/form/mean":'
for stage in 1-cold-start 2-reasoning-rl 3-rejection-sampling 4-second-rl 5-distill; do
  test -s "$out/run/$stage/report.html"
  grep -q "$stage/report.html" "$out/run/report.html"
done
test -s "$out/run/5-distill/adapter_model.safetensors"

# Without its last two stages and resumed on one thread: the first three are passed
# over, the others end with the same bits.
cp -r "$out/run" "$out/cut"
rm -r "$out/cut/4-second-rl" "$out/cut/5-distill"
"$out/r1" "${small[@]}" -out "$out/cut" -resume -threads 1 >/dev/null
cmp "$out/run/5-distill/adapter_model.safetensors" "$out/cut/5-distill/adapter_model.safetensors"

for wrong in '-data nowhere.jsonl' '-resume'; do
  # shellcheck disable=SC2086
  if "$out/r1" $wrong 2>"$out/stderr" >/dev/null; then
    echo "should be refused: $wrong" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
done
