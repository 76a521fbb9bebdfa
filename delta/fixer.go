package delta

// fixer changes the bytes of a copy: it adds a value to each byte that the gaps lead to. The last gap
// leads to the end.
type fixer struct {
	s    *streams
	left int64 // bytes of the copy that have not come yet
	gap  int64 // of them, before the next changed one

	size int64
	same func(at, n int64) error // is told of long runs that do not change; nil: nobody is
}

// longRun is from how many bytes on a run between two changed ones is worth telling of.
const longRun = 4 << 10

func newFixer(s *streams, size int64, same func(at, n int64) error) (*fixer, error) {
	f := &fixer{s: s, left: size, size: size, same: same}
	return f, f.read()
}

// read reads the distance to the next changed byte. At the end there is none to read.
func (f *fixer) read() (err error) {
	if f.gap = 0; f.left > 0 {
		f.gap, err = readUvarint(f.s.readers[streamGaps], uint64(f.left))
	}
	if err == nil && f.same != nil && (f.gap >= longRun || f.gap == f.left) {
		err = f.same(f.size-f.left, f.gap)
	}
	return err
}

// fix changes the copy's next bytes.
func (f *fixer) fix(b []byte) error {
	for f.gap < int64(len(b)) {
		b = b[f.gap:]
		value, err := f.s.readers[streamValues].ReadByte()
		if err != nil {
			return readError(err)
		}
		b[0] += value
		b = b[1:]
		f.left -= f.gap + 1
		if err := f.read(); err != nil {
			return err
		}
	}
	f.gap -= int64(len(b))
	f.left -= int64(len(b))
	return nil
}
