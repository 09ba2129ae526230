// Package overlap finds texts that data sets have in common: rows that are there
// twice, rows that are nearly the same, and test rows that training rows give away.
//
// [Duplicates] is fed one text after the other and says of each whether an earlier
// one was equal or nearly so, with MinHash and locality-sensitive hashing (Broder
// 1997; as applied to training data by Lee et al. 2021, arXiv:2107.06499).
// [Contamination] is given the test texts, then the training texts, and says which
// of the former share long runs of words with the latter (Brown et al. 2020,
// arXiv:2005.14165, appendix C).
//
// Texts are compared by words: letters in lower case and digits, everything else
// left out; of scripts written without spaces (Han, kana, Thai, Lao, Khmer, Burmese)
// each character is a word. Results depend on the texts, their order and the
// options alone.
//
// Limits: near duplicates are found by estimates, so that a few near the threshold
// are missed or found in excess; paraphrases are not found at all. Duplicates takes
// about a kilobyte of memory for each text that is kept.
package overlap
