package bootrig

import "path/filepath"

const (
	espMiB   = 64 // room for the kernels of both slots, and for a new one beside the old
	ovmfCode = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	ovmfVars = "/usr/share/OVMF/OVMF_VARS_4M.fd"
	varsName = "vars.fd"
)

// UEFI gives a machine UEFI firmware with variables of its own, which last as long as its disk.
func UEFI(m *Machine, dir string) error {
	m.Vars = filepath.Join(dir, varsName)
	return copyFile(ovmfVars, m.Vars)
}

func firmwareArgs(vars string) []string {
	return []string{"-drive", "if=pflash,format=raw,unit=0,readonly=on,file.locking=off,file=" + ovmfCode,
		"-drive", "if=pflash,format=raw,unit=1,file=" + vars}
}
