#!/usr/bin/env bash
# Looks over files of every kind, sound and faulty ones, and wants what is in them
# to be found.
set -euo pipefail
out=$1
mkdir -p "$out/rows"
go build -o "$out/data" ./examples/data

for i in 1 2 3 4 5; do
  echo '{"prompt":"What is '$i' plus '$i' when a farmer has so many sheep and buys as many again at the market?","completion":"'$((2 * i))'"}'
done >"$out/rows/a.jsonl"
head -1 "$out/rows/a.jsonl" >>"$out/rows/a.jsonl"
printf 'prompt,completion\n"What is 7, plus 7?",14\n' >"$out/rows/b.csv"
echo '{"prompt":"Quiz: what is 3 plus 3 when a farmer has so many sheep and buys as many again?","completion":"6"}' >"$out/test.jsonl"

"$out/data" -data "$out/rows" -eval-data "$out/test.jsonl" -near 0 -json >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
grep -q '"event":"kind","kind":"prompt+completion (strings)","rows":7' "$out/lines"
grep -q '"event":"duplicates","exact":1,"near":0.*a.jsonl:6.*a.jsonl:1' "$out/lines"
grep -q '"event":"contamination","tests":1.*"given_away":1.*a.jsonl:3' "$out/lines"
tail -1 "$out/lines" | grep -q '^{"event":"result","ok":true,"rows":7,"faulty":0}'

# Tokens are counted with a model's tokenizer; text for people says the same.
"$out/data" -data "$out/rows" -model examples/internal/tiny/checkpoint -max-length 30 >"$out/text"
grep -q '^tokens ' "$out/text"
grep -q '6 of 7 over -max-length 30' "$out/text"

# Parquet files of every kind of row, as far as the fixtures are here.
for table in preference preference_chat unpaired stepwise prompt_completion; do
  file=testdata/oracle/formats/parquet/$table.snappy.parquet
  [ -e "$file" ] || continue
  "$out/data" -data "$file" -json >"$out/lines" 2>"$out/stderr" || grep -q 'faulty rows' "$out/stderr"
  grep -q '"event":"kind"' "$out/lines"
done

# Faulty rows are named by kind with their first place, and fail the run.
{ cat "$out/rows/a.jsonl"; echo '{"prompt":1,"completion":"c"}'; echo '{"prompt":2,"completion":"c"}'; echo '{"words":"x"}'; } >"$out/bad.jsonl"
if "$out/data" -data "$out/bad.jsonl" -json >"$out/lines" 2>"$out/stderr"; then
  echo 'faulty rows should fail' >&2
  exit 1
fi
test "$(wc -l <"$out/stderr")" = 1
grep -q '3 faulty rows of 9' "$out/stderr"
grep -q '"event":"fault","what":"prompt: got a number, want a string","count":2,"first":.*bad.jsonl:7' "$out/lines"
test "$(grep -c '"event":"fault"' "$out/lines")" = 2
