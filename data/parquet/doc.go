// Package parquet reads Parquet files for package data.
//
// [Format] goes into data.ReadOptions.Formats; data.Open and its siblings then
// read files in this format like any other, and a data.Stream reads them in parts
// and out of order.
//
// A row becomes the JSON object it would be in a JSONL file: groups are objects,
// lists are lists, maps with keys of text are objects, absent values are null,
// dates and time stamps are text. NaN and infinities, which JSON has not, become
// null. Pages of versions 1 and 2 are read in every encoding but the deprecated
// BIT_PACKED, uncompressed or compressed with snappy, gzip, zstd or LZ4_RAW;
// brotli, LZO and Hadoop's LZ4 are refused by name. Checksums are compared where
// pages have them.
//
// Blocks are runs of [Format].RowsPerBlock rows where the file has an offset
// index, and row groups where it has none, as most have.
//
// Files need not be trusted. Every length and count is held against the bytes that
// are there before anything of that size is allocated, levels and values are
// decoded one at a time, so that a run takes no memory however long it says it is,
// and nothing is decompressed beyond the size that a page's header names. Memory
// is the file's description, which has at most [Format].MaxFooterBytes, and the
// pages under way, one of each column with its dictionary, which have at most
// [Format].MaxBytes together (a column of DELTA_BYTE_ARRAY keeps its last value
// besides).
//
// Limits: values that are no text, number, boolean, date or time stamp (INT96,
// decimals in bytes, float16, images) are refused where they are not null;
// encrypted files are refused.
package parquet
