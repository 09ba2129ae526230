package policy

// Resize makes n empty elements of s and keeps the memory of all there were.
func Resize[T any, P interface {
	*T
	Reset()
}](s []T, n int) []T {
	s = s[:cap(s)]
	for len(s) < n {
		var none T
		s = append(s, none)
		s = s[:cap(s)]
	}
	s = s[:n]
	for i := range s {
		P(&s[i]).Reset()
	}
	return s
}
