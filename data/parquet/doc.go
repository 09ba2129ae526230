// Package parquet reads Parquet files for package data. Only programs that import
// it link the library behind it (github.com/parquet-go/parquet-go).
//
// [Format] goes into data.ReadOptions.Formats; data.Open and its siblings then
// read files in this format like any other, and a data.Stream reads them in parts
// and out of order.
//
// A row becomes the JSON object it would be in a JSONL file: groups are objects,
// lists are lists, maps with keys of text are objects, absent values are null,
// dates and time stamps are text. NaN and infinities, which JSON has not, become
// null. Pages may be compressed with snappy, gzip, zstd or brotli; LZ4 is refused.
//
// Memory is what the pages under way take: one of each column, with its
// dictionary. Blocks are runs of [Format].RowsPerBlock rows where the file has an
// offset index, and row groups where it has none, as most have.
//
// Limits: values that are no text, number, boolean, date or time stamp (INT96,
// decimals in bytes, float16, images) are refused where they are not null;
// encrypted files are refused. Lengths in the file's description and in headers of
// pages are checked before anything of that length is allocated, but inside a page
// the library is on its own: a page made to do harm can come out larger than it says
// or claim runs of gigabytes, and one that is broken makes the library print a line
// to stderr. Take files from people you trust, or bound the process's memory.
package parquet
