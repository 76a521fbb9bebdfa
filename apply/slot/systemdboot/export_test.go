package systemdboot

// ReadRelease and Order are what the tests of other packages' tools look at.
var ReadRelease = readRelease

// Order is the files of entries in the order in which they are booted.
func Order(root string) ([]string, error) {
	t, err := readTree([]string{root})
	var files []string
	for _, e := range t {
		files = append(files, e.file)
	}
	return files, err
}
