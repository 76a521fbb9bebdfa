package apply

import (
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/uboot"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const backendUBoot = "uboot"

// UBootConfig says where U-Boot keeps its environment.
type UBootConfig struct {
	// Config is the file that tells fw_printenv where the environment is; the default is /etc/fw_env.config.
	Config string `json:"config"`
	// Single allows an environment of which there is one copy, which a power cut can destroy.
	Single bool `json:"single"`
}

func checkUBoot(s *SlotsConfig, fail failFunc) {
	s.checkNames(uboot.ValidName, fail)
}

func openUBoot(s *SlotsConfig, names slot.BootNames, h host.Host, disk durable.Disk) (slot.Loader, error) {
	cfg := uboot.Config{Names: names, Tries: s.Tries, Host: h, Disk: disk}
	if s.UBoot != nil {
		cfg.Path, cfg.Single = s.UBoot.Config, s.UBoot.Single
	}
	return uboot.New(cfg)
}
