#!/usr/bin/env bash
# Trains an adapter, merges it, and wants the merged model to answer like the
# adapter; converts; and is refused what it should be refused.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/" ./examples/sft ./examples/merge ./examples/chat

"$out/sft" -limit 400 -eval-limit 8 -batch-tokens 256 -steps 8 -lr 0.003 -out "$out/run" >/dev/null
"$out/merge" -adapter "$out/run" -out "$out/merged" -dtype float32 | grep 'adapter of rank 16 (alpha 32): 28 weights change'
for file in config.json model.safetensors tokenizer.json tokenizer_config.json generation_config.json; do
  test -s "$out/merged/$file"
done
for prompt in 47+38= 19+19= 50+21=; do
  test "$("$out/chat" -adapter "$out/run" -prompt $prompt)" = "$("$out/chat" -model "$out/merged" -prompt $prompt)"
done

# Averages: one model is itself; two adapters give another model; a file of llama.cpp answers alike.
"$out/merge" -with "$out/run" -out "$out/same" -dtype float32 >/dev/null
cmp "$out/same/model.safetensors" "$out/merged/model.safetensors"
for method in linear slerp ties dare dare_ties; do
  "$out/merge" -with "$out/run,$out/merged" -weights 1,3 -method $method -dtype float32 -out "$out/$method" | grep 'averaged 2 models'
done
"$out/merge" -adapter "$out/run" -out "$out/merged.gguf" -gguf f32 -dtype float32 | grep 'holds the weights exactly'
test "$("$out/chat" -model "$out/merged.gguf" -prompt 47+38=)" = "$("$out/chat" -model "$out/merged" -prompt 47+38=)"

# Conversion there and back loses nothing: the embedded model is in bfloat16.
"$out/merge" -out "$out/wide" -dtype float32 -json | tail -1 | grep -q '^{"event":"result"'
"$out/merge" -model "$out/wide" -out "$out/narrow" -dtype bfloat16 >/dev/null
cmp "$out/narrow/model.safetensors" examples/internal/tiny/checkpoint/model.safetensors

fails() { # words that stderr's only line holds, then flags
  local words=$1
  shift
  if "$out/merge" "$@" >"$out/stdout" 2>"$out/stderr"; then
    echo "merge $* should fail" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
  grep -q -- "$words" "$out/stderr"
}
fails -out
fails 'is not empty' -out "$out/merged"
fails 'dare_ties' -with "$out/run" -method soup -out "$out/bad"
fails 'two numbers' -with "$out/run,$out/run" -method slerp -weights 1 -out "$out/bad"
fails 'q8_0' -gguf q3 -out "$out/bad.gguf"
fails bfloat16 -dtype int8 -out "$out/bad"
fails /nowhere -model /nowhere -out "$out/bad"
fails adapter_config.json -adapter "$out/merged" -out "$out/bad"
# The settings of this adapter do not fit its weights.
sed 's/q_proj/x_proj/' "$out/run/adapter_config.json" >"$out/config" && mv "$out/config" "$out/run/adapter_config.json"
fails "$out/run" -adapter "$out/run" -out "$out/bad"
test ! -e "$out/bad"
