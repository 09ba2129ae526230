// Package safetensors reads and writes safetensors files, named arrays behind a
// JSON header, and the model folders of Hugging Face that consist of them.
//
// Reading: [Open] for one file, [OpenFolder] and [OpenFS] for a folder with
// "model.safetensors" or with shards and their index. Files are mapped where the
// system can (Unix), so opening costs the header only, and a [Tensor] hands out
// its bytes without a copy ([Tensor.View], [Tensor.Bytes]) or converts them to
// float32 on all cores.
//
// Writing: [Create] for one file, [CreateFolder] for a folder, split into shards
// when it is large. The header is written first, from names, types and shapes;
// then tensors come one at a time, so a model need never be in memory twice. Files
// appear under their names complete and synced, or not at all. Bytes are those of
// the reference library (safetensors 0.8) for the same tensors.
//
// # Strictness and limits
//
// The reference library's rules hold: tensors must cover the data without hole,
// overlap or trailing byte, a header has at most 100 000 000 bytes, JSON nests at
// most 128 deep. Beyond it, a name that comes twice is an error. Further limits:
// 131 072 tensors and metadata values in a file, 64 dimensions, 262 144 tensors in
// an index. Parsing allocates less than the size of the file plus 64 MiB. Errors
// name the file, the tensor, what was got and what was wanted.
//
// All element types of the library are listed and can be copied. F4, F6_E2M3,
// F6_E3M2, the FNUZ kinds of 8 bits, and C64 cannot be converted to float32.
// WriteFloat32 narrows to F16 and BF16, not to 8 bits.
//
// A file that is cut short while it is open makes reads fail with [ErrChanged]
// instead of killing the process; only the windows of [Tensor.Bytes] cannot be
// guarded. A file that is overwritten in place is not noticed: replace files by
// rename, as this package does.
//
// PyTorch pickle checkpoints (.bin, .pt) run code when they are loaded and are
// refused by name. NumPy's files (.npy, .npz) are not read by any package here:
// no model comes in them.
package safetensors
