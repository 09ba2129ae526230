#!/usr/bin/env bash
# Fine-tunes the embedded model for a moment: an adapter, all weights, and a
# conversation; wants the files of a run folder and equal results when resumed.
# What it says about wrong flags and files is tested in Go (flags_test.go).
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/sft" ./examples/sft

small=(-json -limit 200 -eval-limit 8 -batch-tokens 256 -steps 6 -save-every 2)
"$out/sft" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
tail -1 "$out/lines" | grep -q '^{"event":"result","step":6.*"perplexity":'
test "$(grep -c '"event":"step"' "$out/lines")" = 6
for file in run.json metrics.jsonl samples.jsonl report.html adapter_config.json adapter_model.safetensors checkpoints/last checkpoints/best; do
  test -s "$out/run/$file"
done
(cd "$out/run/checkpoints/$(cat "$out/run/checkpoints/last")" && sha256sum --quiet --check SHA256SUMS)

# A finished run has nothing left to do; a folder in use is refused.
"$out/sft" "${small[@]}" -out "$out/run" -resume -threads 1 >/dev/null
if "$out/sft" "${small[@]}" -out "$out/run" 2>"$out/stderr" >/dev/null; then
  echo 'a folder in use should be refused' >&2
  exit 1
fi
test "$(wc -l <"$out/stderr")" = 1
grep -q 'not empty' "$out/stderr"

# Threads do not change results.
"$out/sft" "${small[@]}" -out "$out/one" -threads 1 >/dev/null
cmp "$out/run/adapter_model.safetensors" "$out/one/adapter_model.safetensors"
cmp "$out/run/samples.jsonl" "$out/one/samples.jsonl"

# All weights: the result is a model.
"$out/sft" "${small[@]}" -full -out "$out/full" >/dev/null
for file in config.json model.safetensors tokenizer.json; do
  test -s "$out/full/$file"
done

# Conversations, learning from the assistant's turns only.
for i in 1 2 3 4 5 6 7 8; do
  echo '{"messages":[{"role":"user","content":"What is '$i' and '$i'?"},{"role":"assistant","content":"'$((2 * i))'"}]}'
done >"$out/chats.jsonl"
"$out/sft" "${small[@]}" -data "$out/chats.jsonl" -eval-data "$out/chats.jsonl" -template chatml -assistant-only -out "$out/chats" |
  tail -1 | grep '"eval_loss"' >/dev/null
