#!/usr/bin/env bash
# Inspects the embedded model, a GGUF file and broken folders.
set -euo pipefail
out=$1
mkdir -p "$out/model"
go build -o "$out/inspect" ./examples/inspect

"$out/inspect" -template chatml >"$out/text"
for words in 'family *llama' '887936 in memory' 'lora *2048 *yes' 'full *2048 *no' '12 of 12 hard texts' 'earlier turns stay the same' 'all self-tests passed'; do
  grep -q "$words" "$out/text"
done
"$out/inspect" -template gemma -json -tokens 64 -parameters >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start".*"model_type":"llama"'
test "$(grep -c '"event":"parameter"' "$out/lines")" = 38
test "$(grep -c '"event":"memory"' "$out/lines")" = 4
tail -1 "$out/lines" | grep -q '^{"event":"result","ok":true'

for gguf in testdata/oracle/formats/gguf_models/*/*-q8_0.gguf; do
  [ -e "$gguf" ] || continue
  "$out/inspect" -model "$gguf" -tokens 64 -json | tail -1 | grep '"ok":true' >/dev/null
done

fails() { # words that stderr's only line holds, then flags
  local words=$1
  shift
  if "$out/inspect" "$@" >"$out/stdout" 2>"$out/stderr"; then
    echo "inspect $* should fail" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
  grep -q -- "$words" "$out/stderr"
}
fails /nowhere -model /nowhere
fails -tokens -tokens many
fails klingon -template klingon
# A template that forgets the answers is a failed self-test.
cp examples/internal/tiny/checkpoint/* "$out/model"
echo '{% for m in messages %}{% if m.role == "user" %}{{ m.content }}{% endif %}{% endfor %}' >"$out/model/chat_template.jinja"
fails 'is not in the text' -model "$out/model"
grep -q FAULT "$out/stdout"
echo '{% endfor %}' >"$out/model/chat_template.jinja"
fails "$out/model" -model "$out/model"
