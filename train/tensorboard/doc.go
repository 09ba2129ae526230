// Package tensorboard writes event files that TensorBoard reads: numbers over
// steps ([Writer.Scalar]) and texts ([Writer.Text]), with neither TensorFlow nor
// a protobuf library. Records are, byte for byte, what PyTorch's SummaryWriter
// writes for the same values (torch 2.15, tensorboard 2.21).
//
// An event file is a sequence of TFRecords: length (8 bytes, little-endian), its
// masked CRC-32C, payload, the payload's masked CRC-32C. A payload is one Event
// message of TensorFlow's event.proto; the first one says "brain.Event:2".
// TensorBoard finds files by "tfevents" in their name; [FileName] makes one.
//
// # Limitations
//
// There are no histograms, images or audio. Scalars are stored as float32, as
// every writer does. A file may be cut at the end of any record and continued,
// but a TensorBoard that is running keeps showing what was cut off until it is
// restarted.
package tensorboard
