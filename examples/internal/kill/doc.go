// Package kill serves tests that kill an example at random moments, let it go on,
// and want what a run leaves that nobody disturbed. Start with Outcome.
//
// It reads run folders of package train and is of use to tests alone.
package kill
