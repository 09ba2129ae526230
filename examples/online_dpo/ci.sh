#!/usr/bin/env bash
# Trains the embedded model on its own answers for a moment, judged by the rule and by
# a language model; wants the files of a run folder, equal results when resumed
# inside a round, and clear refusals.
set -euo pipefail
out=$1
mkdir -p "$out"
go build -o "$out/online_dpo" ./examples/online_dpo

small=(-json -limit 100 -eval-limit 8 -prompts 8 -pairs 2 -steps-per-round 3 -steps 5 -save-every 1)
"$out/online_dpo" "${small[@]}" -out "$out/run" >"$out/lines"
head -1 "$out/lines" | grep -q '^{"event":"start"'
grep '"event":"step","step":1,' "$out/lines" | grep -q '"objective/scores":.*"judge/ties":'
tail -1 "$out/lines" | grep -q '^{"event":"result","step":5.*"eval_exact_match":'
for file in run.json metrics.jsonl samples.jsonl report.html adapter_config.json adapter_model.safetensors; do
  test -s "$out/run/$file"
done

# Cut off inside the second round and resumed: the same adapter. Threads do not
# matter.
cp -r "$out/run" "$out/cut"
rm -r "$out/cut/checkpoints/step-000005" "$out/cut/adapter_model.safetensors" "$out/cut/adapter_config.json" "$out/cut/report.html"
echo step-000004 >"$out/cut/checkpoints/last"
"$out/online_dpo" "${small[@]}" -out "$out/cut" -resume -threads 1 >/dev/null
cmp "$out/run/adapter_model.safetensors" "$out/cut/adapter_model.safetensors"

# Judged by a language model, here one that knows nothing but sums, and with a
# reference that follows.
"$out/online_dpo" -json -limit 20 -eval-limit 4 -prompts 4 -pairs 4 -answers 2 -steps 2 -follow -judge embedded >"$out/read"
grep '"event":"step","step":1,' "$out/read" | grep -q '"judge/swap_consistency":'
for wrong in '-loss klingon' '-full' '-judge nowhere' '-answers 1' '-data nowhere.jsonl'; do
  # shellcheck disable=SC2086
  if "$out/online_dpo" $wrong 2>"$out/stderr" >/dev/null; then
    echo "should be refused: $wrong" >&2
    exit 1
  fi
  test "$(wc -l <"$out/stderr")" = 1
done
