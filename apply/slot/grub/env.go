package grub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// errNoState is a block that holds nothing of the slots.
var errNoState = errors.New("it holds no state of the slots")

// read reads the block and what it says of the slots.
func (l *Loader) read() (*block, *table, error) {
	b, err := l.readBlock()
	if err != nil {
		return nil, nil, err
	}
	t, err := l.dialect.decode(b, l.list())
	switch {
	case errors.Is(err, errNoState):
		return nil, nil, &slot.UnreadyError{Text: "GRUB's environment block " + l.env, Err: err, Advice: l.setUp()}
	case err != nil:
		return nil, nil, l.damaged(err)
	}
	return b, t, nil
}

func (l *Loader) readBlock() (*block, error) {
	data, err := l.readEnv()
	if err != nil {
		return nil, &slot.UnreadyError{Text: "GRUB's environment block cannot be read", Err: err,
			Advice: "name it in spec.slots.grub.env of site.yaml; sallyport site init --boot grub makes one where there is none"}
	}
	b, err := parseBlock(data)
	if err != nil {
		return nil, l.damaged(err)
	}
	return b, nil
}

// damaged is a block that somebody has to look at: what it once said of the slots is not known.
func (l *Loader) damaged(err error) error {
	return &slot.UnreadyError{Text: "GRUB's environment block " + l.env + " is not sound", Err: err,
		Advice: "sallyport site init --boot grub --force makes a new state, in which the slot that runs is good; other variables in the block may be lost"}
}

// readEnv reads what the medium has of the file that should be a block.
func (l *Loader) readEnv() ([]byte, error) {
	f, err := l.host.OpenFresh(l.env)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", l.env)
	}
	return io.ReadAll(io.LimitReader(f, blockSize+1))
}

// render is the block with another table in it. Its length is the same for every table, so there is room for all that comes.
func (l *Loader) render(b *block, t *table) ([]byte, error) {
	names := l.list()
	drop := func(name string) bool { return l.dialect.ours(name, names) }
	data, err := b.marshal(l.dialect.encode(t, names), l.space(t), drop)
	if err != nil {
		return nil, &slot.UnreadyError{Text: "GRUB's environment block " + l.env, Err: err,
			Advice: "take variables out of it that nobody needs any more: grub-editenv " + l.env + " unset NAME"}
	}
	return data, nil
}

// space is how many bytes our variables take at most, for slots in this order, with what fills it up.
func (l *Loader) space(t *table) int {
	most := 0
	for _, trial := range l.list() {
		longest := &table{order: t.order, state: map[string]slot.State{}, mark: strings.Repeat("0", maxMark)}
		for _, name := range l.list() {
			longest.state[name] = slot.State{Verdict: slot.Trial}
		}
		longest.state[trial] = slot.State{Verdict: slot.Trial, Left: 1}
		most = max(most, size(l.dialect.encode(longest, l.list())))
	}
	return most + leastFiller
}

// replace writes the block with another table in it.
func (l *Loader) replace(b *block, t *table) error {
	data, err := l.render(b, t)
	if err != nil {
		return err
	}
	if err := l.checkPlace(); err != nil {
		return err
	}
	if err := l.write(data); err != nil {
		return &placeError{l.env, err}
	}
	return nil
}

// write writes the block, and reads back what the medium has of it.
func (l *Loader) write(data []byte) error {
	if err := l.disk.Overwrite(l.host.Path(l.env), data, 0); err != nil {
		return err
	}
	got, err := l.readEnv()
	if err != nil {
		return err
	}
	if !bytes.Equal(got, data) {
		return errors.New("what is read back is not what was written")
	}
	return nil
}

// placeError is a block that could not be written.
type placeError struct {
	env string
	err error
}

func (e *placeError) Error() string {
	return fmt.Sprintf("cannot keep the state of the slots in %s: %v", e.env, e.err)
}
func (e *placeError) Unwrap() error { return e.err }

// Reason is the stable word for scripts.
func (e *placeError) Reason() string { return "io" }

// Hint says what to do next.
func (e *placeError) Hint() string {
	return "see to it that the file system of that file is mounted for writing and sound; then run the same command again"
}
