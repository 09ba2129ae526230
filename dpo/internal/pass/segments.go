package pass

// SegmentLen is the number of tokens in segment s, where ends are exclusive ends.
func SegmentLen(ends []int32, s int32) int {
	if s == 0 {
		return int(ends[0])
	}
	return int(ends[s] - ends[s-1])
}
