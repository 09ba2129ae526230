#!/usr/bin/env bash
# The quickstart with a quarter of its steps of learning: results, reports, gains.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/quickstart" ./examples/quickstart

"$out/quickstart" -grpo-steps 40 -out "$out/run" -json >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
results() { grep "$1" "$out/lines" | sed 's/.*"eval_exact_match":\([0-9.]*\).*/\1/'; }
before=$(results '"event":"eval","step":0' | head -1)
tuned=$(results '"event":"result"' | head -1)
after=$(results '"event":"result"' | tail -1)
echo "exact match $before before, $tuned after fine-tuning, $after after learning from a verifier"
awk -v a="$before" -v b="$tuned" -v c="$after" 'BEGIN { exit !(a > 0.1 && a < 0.3 && b > a + 0.1 && c > b + 0.05) }'
for stage in sft grpo; do
  for file in report.html adapter_config.json adapter_model.safetensors metrics.jsonl samples.jsonl; do
    test -s "$out/run/$stage/$file"
  done
done

if "$out/quickstart" -sft-steps 5 -out "$out/run" >/dev/null 2>"$out/stderr"; then
  echo 'a folder in use should be refused' >&2
  exit 1
fi
test "$(wc -l <"$out/stderr")" = 1
grep -q 'not empty' "$out/stderr"
