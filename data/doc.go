// Package data turns files of training rows into packed batches of tokens.
//
// The way of a row, one type a hop:
//
//	file → Row → Example → Dataset → Batcher → Step (micro-batches of type Packed)
//
// [Open] reads JSON arrays, JSON Lines, CSV and TSV, plain or compressed with gzip
// or zstd, and whatever [ReadOptions] names beyond them (data/parquet), from a
// file, a folder or a pattern, and yields a [Row] for each object. Column names are TRL's: text,
// messages, prompt and completion; the Alpaca, ShareGPT and GSM8K shapes are
// understood too. All rows of a file have one shape. Rows that are judged have
// types of their own: [OpenPairs] (one answer preferred over another),
// [OpenLabelled] (an answer that is good or bad), [OpenSteps] (good and bad
// steps); [OpenPrompts] reads what is to be answered.
//
// [Prepare] renders, tokenises, masks and truncates rows as TRL's SFTTrainer
// does and counts in a [Report] what it had to cut or drop. Loss masks come from
// where a token stems from (prompt or completion, generation spans of the chat
// template), never from its id.
//
// A [Stream] makes steps of files that need not fit in memory: it reads, shuffles
// and tokenises as it goes, mixes files by weight, and resumes in the middle of a
// file without reading what stands before (JSON Lines, Parquet).
//
// A [Batcher] walks over the prepared [Dataset] in a seeded order and fills a
// [Step] for each optimizer step without allocating. Its [Cursor] is two
// numbers: a batcher set to a cursor goes on as if it had never stopped, as long
// as the dataset has the same [Dataset.Fingerprint].
//
// Limits: a [Dataset] stays in memory (about six bytes a token); images, audio and
// rows tokenised beforehand are refused; preference data is not taken for examples
// unless [ReadOptions] says so.
package data
