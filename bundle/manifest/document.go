package manifest

import (
	"fmt"
	"io"
	"os"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// maxFile is the size in bytes of the largest manifest file.
const maxFile = 32 << 20

// readFile reads a file of bounded size.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would wait for ever
		return nil, &Error{Place: Place{File: path}, Problem: "this is not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, &Error{Place: Place{File: path}, Problem: fmt.Sprintf("this is larger than %d bytes", maxFile)}
	}
	return b, nil
}

// parseFile reads the objects of a file.
func parseFile(path string) ([]Object, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, b)
}

// parse reads the objects in b; path is for messages.
func parse(path string, b []byte) ([]Object, error) {
	found, err := kubeyaml.Read(path, b)
	if err != nil {
		return nil, err
	}
	objects := make([]Object, len(found))
	for i, o := range found {
		objects[i] = Object{Object: o}
	}
	return objects, nil
}
