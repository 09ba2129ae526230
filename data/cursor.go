package data

// Cursor is a place between two optimizer steps. The zero value is the start.
type Cursor struct {
	Epoch    int `json:"epoch"`    // epochs finished
	Position int `json:"position"` // examples of the next one that were used; of a Stream: rows drawn so far
	// Parts are the places of a [Stream] in what it reads; nil for a Batcher.
	Parts []PartCursor `json:"parts,omitempty"`
}

// PartCursor is a place in one part of a [Stream]. Rows are shuffled in windows:
// the window that begins with row Row of the Block-th block of the epoch's order,
// of which Position rows were used.
type PartCursor struct {
	Epoch    int `json:"epoch"`
	Block    int `json:"block"`
	Row      int `json:"row,omitempty"`
	Position int `json:"position,omitempty"`
}
