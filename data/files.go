package data

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// member is one of the files behind a path.
type member struct {
	label string
	open  func() (io.ReadCloser, error)
}

// endings are those of the files that a folder is searched for, as they are or
// compressed.
var endings = []string{".json", ".jsonl", ".ndjson", ".csv", ".tsv"}

// plainName is a file's name in lower case without the ending of a compressed one.
func plainName(name string) string {
	name = strings.ToLower(path.Base(filepath.ToSlash(name)))
	for _, packed := range [...]string{".gz", ".gzip", ".zst", ".zstd"} {
		if base, ok := strings.CutSuffix(name, packed); ok {
			return base
		}
	}
	return name
}

const meta = `*?[`

// root splits a path into a file system and a name in it, at the first element
// with a wildcard.
func root(file string) (fs.FS, string) {
	if _, err := os.Lstat(file); err == nil || !strings.ContainsAny(file, meta) {
		return os.DirFS(filepath.Dir(file)), filepath.Base(file)
	}
	slashed := filepath.ToSlash(file)
	dir := slashed[:strings.IndexAny(slashed, meta)]
	dir = dir[:strings.LastIndexByte(dir, '/')+1]
	name := slashed[len(dir):]
	if dir == "" {
		dir = "."
	}
	return os.DirFS(filepath.FromSlash(dir)), name
}

// members lists the files behind a name: itself, the data files of a folder and
// its subfolders, or what matches a pattern; the latter two in order of their
// names.
func members(fsys fs.FS, name, label string, opts ReadOptions) ([]member, error) {
	if label == "" {
		label = name
	}
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	names, err := expand(fsys, name, opts)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", label, err)
	}
	list := make([]member, 0, len(names))
	for _, file := range names {
		list = append(list, member{label: memberLabel(label, name, file), open: func() (io.ReadCloser, error) { return fsys.Open(file) }})
	}
	return list, nil
}

func expand(fsys fs.FS, name string, opts ReadOptions) ([]string, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case err == nil && !info.IsDir():
		return []string{name}, nil
	case err == nil:
		return inFolder(fsys, name, opts)
	case !strings.ContainsAny(name, meta):
		return nil, err
	}
	found, err := fs.Glob(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("got a bad pattern: %w", err)
	}
	found = slices.DeleteFunc(found, func(file string) bool {
		info, err := fs.Stat(fsys, file)
		hidden := strings.HasPrefix(path.Base(file), ".") && !strings.HasPrefix(path.Base(name), ".") // as shells have it
		return hidden || err == nil && info.IsDir()
	})
	if len(found) == 0 {
		return nil, fmt.Errorf("got a pattern that no file matches: %w", fs.ErrNotExist)
	}
	slices.Sort(found)
	return found, nil
}

// inFolder lists the data files below a folder, hidden ones left out.
func inFolder(fsys fs.FS, folder string, opts ReadOptions) ([]string, error) {
	var found []string
	err := fs.WalkDir(fsys, folder, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case file != folder && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case !d.IsDir() && (slices.Contains(endings, path.Ext(plainName(file))) || opts.match(file, nil) != nil):
			found = append(found, file)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("got a folder without data files, want files that end in %s (also .gz and .zst) or match ReadOptions.Formats", strings.Join(endings, ", "))
	}
	slices.Sort(found)
	return found, nil
}

// memberLabel is what errors call a file that was found behind a name.
func memberLabel(label, name, file string) string {
	if file == name {
		return label
	}
	if before, ok := strings.CutSuffix(filepath.ToSlash(label), name); ok {
		return before + file
	}
	return label + "/" + strings.TrimPrefix(file, name+"/")
}
