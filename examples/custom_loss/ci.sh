#!/usr/bin/env bash
# Trains with each loss for a moment; the answers must get better.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/custom_loss" ./examples/custom_loss

for loss in focal clipped quiet; do
  "$out/custom_loss" -loss $loss -steps 25 -json >"$out/lines"
  test "$(grep -c '"event":"step"' "$out/lines")" = 25
  before=$(grep '"event":"eval","step":0' "$out/lines" | sed 's/.*"eval_exact_match":\([0-9.]*\).*/\1/')
  after=$(tail -1 "$out/lines" | grep '"event":"result"' | sed 's/.*"eval_exact_match":\([0-9.]*\).*/\1/')
  echo "$loss: exact match $before before, $after after"
  awk -v a="$before" -v b="$after" 'BEGIN { exit !(b > a) }'
done

for flags in '-loss zero' '-gamma 0' '-steps 0' '-bogus'; do
  # shellcheck disable=SC2086 # two words
  if "$out/custom_loss" $flags >"$out/stdout" 2>"$out/stderr"; then
    echo "custom_loss $flags should fail" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
  grep -q -- "${flags%% *}" "$out/stderr"
done
