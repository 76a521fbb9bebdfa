package uboottest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Copy is where one copy of the environment lies.
type Copy struct {
	Path         string
	Offset, Size int
}

// read returns the variables of a copy and its counter; ok is false if its checksum is wrong.
func (c Copy) read(h host.Host) (vars []string, count byte, ok bool) {
	data, err := os.ReadFile(h.Path(c.Path))
	if err != nil || len(data) < c.Offset+c.Size {
		return nil, 0, false
	}
	data = data[c.Offset : c.Offset+c.Size]
	sum, count, body := binary.LittleEndian.Uint32(data), data[4], data[5:]
	if crc32.ChecksumIEEE(body) != sum {
		return nil, 0, false
	}
	body, _, _ = bytes.Cut(body, []byte{0, 0})
	return strings.Split(string(body), "\x00"), count, true
}

func (c Copy) write(h host.Host, vars []string, count byte) error {
	body := make([]byte, c.Size-5)
	copy(body, strings.Join(vars, "\x00"))
	head := append(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)), count)
	f, err := os.OpenFile(h.Path(c.Path), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(append(head, body...), int64(c.Offset))
	return err
}

// load returns the number of the copy that counts, and its variables; -1 if none does.
func (m *machine) load() (at int, vars []string, count byte) {
	at = -1
	for i, c := range m.copies {
		v, n, ok := c.read(m.host)
		// The difference of two counters that go round is small and positive if the second is the newer.
		if ok && (at < 0 || int8(n-count) > 0) {
			at, vars, count = i, v, n
		}
	}
	return at, vars, count
}

// boot is what the script does, in the order in which it does it.
func (m *machine) boot(t *testing.T) slot.Name {
	t.Helper()
	at, vars, count := m.load()
	value := map[string]string{}
	for _, v := range vars {
		name, text, _ := strings.Cut(v, "=")
		value[name] = text
	}
	order := strings.Fields(value["BOOT_ORDER"])
	pick := ""
	for _, s := range order {
		left := value["BOOT_"+s+"_LEFT"]
		if value["sallyport_"+s] == "good" {
			pick = s
			break
		}
		if value["sallyport_"+s] != "trial" || left < "1" || left > "7" {
			continue
		}
		for i, v := range vars {
			if v == "BOOT_"+s+"_LEFT="+left {
				vars[i] = fmt.Sprintf("BOOT_%s_LEFT=%c", s, left[0]-1)
			}
		}
		if m.saves && m.copies[1-at].write(m.host, vars, count+1) == nil {
			pick = s
			break
		}
	}
	m.file(t, "/proc/cmdline", fmt.Appendf(nil, "root=/dev/sda2 sallyport.slot=%s sallyport.env=%s\n", pick, value["sallyport_mark"]))
	return slot.BootNames{A: "A", B: "B"}.Slot(pick)
}
