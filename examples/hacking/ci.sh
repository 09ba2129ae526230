#!/usr/bin/env bash
# Draws the page with few trials: wants the hump of one model, the budget's stop near
# the best, and a page that needs no network.
set -euo pipefail
out=$1
mkdir -p "$out"
go run ./examples/hacking -json -n 256 -trials 60 -out "$out/hacking.html" >"$out/lines"
test "$(grep -c '"event":"curve"' "$out/lines")" = 11
tail -1 "$out/lines" | grep -q '^{"event":"result".*"share_of_best":\(0.9[5-9]\|1\)'
grep -q 'Learning on a bandit' "$out/hacking.html"
! grep -q 'https\?://' "$out/hacking.html"
