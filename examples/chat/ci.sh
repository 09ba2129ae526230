#!/usr/bin/env bash
# Chats with the embedded model: in one shot, over several turns, and wrongly.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/chat" ./examples/chat

test "$("$out/chat" -prompt 47+38=)" = "$("$out/chat" -prompt 47+38= -threads 1)"
"$out/chat" -prompt 47+38= | grep -Eq '^[0-9]+$'

# Equal seeds give equal answers.
printf '11+22=\n12+12=\n' >"$out/input"
sample() { "$out/chat" -temperature 1 -top-k 20 -top-p 0.95 -min-p 0.01 "$@" <"$out/input"; }
test "$(sample -seed 3)" = "$(sample -seed 3)"
test "$(sample -seed 3 | wc -l)" = 2

# A conversation: the second prompt holds the first turn.
"$out/chat" -template chatml -system 'Be brief.' -json -max-tokens 4 <"$out/input" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start".*"template":true'
test "$(grep -c '"event":"answer"' "$out/lines")" = 2
tail -1 "$out/lines" | grep -q '^{"event":"result","answers":2'

fails() { # words that stderr's only line holds, then flags
  local words=$1
  shift
  if "$out/chat" "$@" >"$out/stdout" 2>"$out/stderr" </dev/null; then
    echo "chat $* should fail" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
  grep -q -- "$words" "$out/stderr"
}
fails /nowhere -model /nowhere
fails /nowhere -adapter /nowhere
fails klingon -template klingon
fails -system -system 'Be brief.'
fails Temperature -temperature -1
fails 'too long' -context 16 -prompt 'more than sixteen tokens'
