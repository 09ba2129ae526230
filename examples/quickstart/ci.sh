#!/usr/bin/env bash
# The quickstart with a fifth of its steps: a result, a report, a gain.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/quickstart" ./examples/quickstart

"$out/quickstart" -steps 60 -out "$out/run" -json >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
before=$(grep '"event":"eval","step":0' "$out/lines" | sed 's/.*"eval_exact_match":\([0-9.]*\).*/\1/')
after=$(tail -1 "$out/lines" | grep '"event":"result"' | sed 's/.*"eval_exact_match":\([0-9.]*\).*/\1/')
echo "exact match $before before, $after after"
awk -v a="$before" -v b="$after" 'BEGIN { exit !(a > 0.1 && a < 0.3 && b > a + 0.1) }'
for file in report.html adapter_config.json adapter_model.safetensors metrics.jsonl samples.jsonl; do
  test -s "$out/run/$file"
done

if "$out/quickstart" -steps 5 -out "$out/run" >/dev/null 2>"$out/stderr"; then
  echo 'a folder in use should be refused' >&2
  exit 1
fi
test "$(wc -l <"$out/stderr")" = 1
grep -q 'not empty' "$out/stderr"
