#!/usr/bin/env bash
# Lets the embedded model learn from a simulated and from a real judge for a moment:
# wants both stages, their files, equal results when resumed and on one thread, and
# clear refusals.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/rlaif" ./examples/rlaif

small=(-json -limit 200 -eval-limit 16 -revised 24 -revise-steps 4 -prompts 4 -completions 4 -steps 4 -save-every 2)
"$out/rlaif" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
test "$(grep -c '^{"event":"result"' "$out/lines")" = 2
tail -1 "$out/lines" | grep -q '^{"event":"result","step":4.*"accuracy":'
grep '"event":"step"' "$out/lines" | tail -1 | grep -q '"rewards/ai/mean":.*"kl":'
for file in report.html 1-revisions/report.html 1-revisions/adapter_model.safetensors 2-rlaif/report.html 2-rlaif/adapter_model.safetensors 2-rlaif/samples.jsonl; do
  test -s "$out/run/$file"
done
grep -q '2-rlaif/report.html' "$out/run/report.html"

# Stopped in the second stage and resumed on one thread: the first is passed over, the
# second ends with the same bits.
cp -r "$out/run" "$out/cut"
rm -r "$out/cut/2-rlaif/checkpoints/step-000004" "$out"/cut/2-rlaif/adapter_* "$out/cut/2-rlaif/report.html"
sed -i 's/"finished": *true/"finished": false/' "$out/cut/2-rlaif/run.json"
echo step-000002 >"$out/cut/2-rlaif/checkpoints/last"
"$out/rlaif" "${small[@]}" -out "$out/cut" -resume -threads 1 >/dev/null
cmp "$out/run/2-rlaif/adapter_model.safetensors" "$out/cut/2-rlaif/adapter_model.safetensors"

# Judged by a language model, here one that knows nothing but sums; all weights.
"$out/rlaif" -json -full -limit 40 -eval-limit 4 -revised 4 -revise-steps 1 -prompts 2 -completions 2 -steps 1 -judge embedded -out "$out/full" >/dev/null
test -s "$out/full/2-rlaif/model.safetensors"
for wrong in '-judge nowhere' '-accuracy 2' '-data nowhere.jsonl' '-resume'; do
  # shellcheck disable=SC2086
  if "$out/rlaif" $wrong 2>"$out/stderr" >/dev/null; then
    echo "should be refused: $wrong" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
done
