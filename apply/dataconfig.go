package apply

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/sallyport-dev/sallyport/apply/backup"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// DataConfig says what data are backed up before a slot is armed, and restored when the update is rolled back: by commands of
// the site's own, or one of the kinds that are known.
type DataConfig struct {
	Backup  *CommandConfig `json:"backup"`
	Restore *CommandConfig `json:"restore"`
	// Version, if given, prints a line that is another one once the data have changed.
	Version *CommandConfig `json:"version"`

	K3s      *K3sConfig      `json:"k3s"`
	MicroK8s *MicroK8sConfig `json:"microk8s"`
	Etcd     *EtcdConfig     `json:"etcd"`

	// Timeout bounds a backup, and a restore; the default is 10 min.
	Timeout *bundle.Duration `json:"timeout"`
	// Keep is how many backups are kept; 0 is 2.
	Keep int `json:"keep"`
	// MaxBytes bounds each of them; 0 is 8 GiB.
	MaxBytes int64 `json:"maxBytes"`
}

// CommandConfig is a program with arguments, run without a shell.
type CommandConfig struct {
	Command []string `json:"command"`
}

// K3sConfig is k3s with one server, or RKE2.
type K3sConfig struct {
	DataDir string `json:"dataDir"` // default /var/lib/rancher/k3s
	Service string `json:"service"` // default k3s
}

// MicroK8sConfig is MicroK8s on one machine.
type MicroK8sConfig struct {
	DataDir string `json:"dataDir"` // default /var/snap/microk8s/current
}

// EtcdConfig is an etcd of one member.
type EtcdConfig struct {
	Endpoint string   `json:"endpoint"` // default http://127.0.0.1:2379
	DataDir  string   `json:"dataDir"`  // default /var/lib/etcd/default
	CA       string   `json:"ca"`
	Cert     string   `json:"cert"`
	Key      string   `json:"key"`
	Services []string `json:"services"` // default etcd
}

const (
	defaultEtcdDir     = "/var/lib/etcd/default"
	defaultEtcdService = "etcd"
	maxKeep            = 100
)

func (d *DataConfig) check(slots *SlotsConfig, fail failFunc) {
	if d == nil {
		return
	}
	if !slots.OS() {
		fail("spec.data", "goes with a boot loader: data are saved before another operating system is booted", "name the loader in spec.slots.backend, or remove it")
	}
	kinds := 0
	for _, set := range []bool{d.Backup != nil || d.Restore != nil || d.Version != nil, d.K3s != nil, d.MicroK8s != nil, d.Etcd != nil} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		fail("spec.data", "names no data", "give backup and restore, or one of k3s, microk8s and etcd")
	case kinds > 1:
		fail("spec.data", "names data in more than one way", "keep backup and restore, or one of k3s, microk8s and etcd")
	}
	for name, c := range map[string]*CommandConfig{"backup": d.Backup, "restore": d.Restore, "version": d.Version} {
		if c != nil && (len(c.Command) == 0 || c.Command[0] == "") {
			fail("spec.data."+name+".command", "is empty", "give program and arguments, as in [/usr/local/sbin/save-tills, --all]")
		}
	}
	if (d.Backup != nil || d.Version != nil) && d.Restore == nil {
		fail("spec.data.restore", "is missing", "give the command that restores what backup has saved")
	}
	if (d.Restore != nil || d.Version != nil) && d.Backup == nil {
		fail("spec.data.backup", "is missing", "give the command that saves what restore restores")
	}
	if d.Keep < 0 || d.Keep > maxKeep {
		fail("spec.data.keep", fmt.Sprintf("is %d, not 1 to %d", d.Keep, maxKeep), "")
	}
	if d.MaxBytes < 0 {
		fail("spec.data.maxBytes", fmt.Sprintf("is %d", d.MaxBytes), "give a number of bytes, as in 8589934592")
	}
	if d.Timeout != nil && *d.Timeout <= 0 {
		fail("spec.data.timeout", "is no time at all", "give a duration, as in 10m")
	}
	if e := d.Etcd; e != nil && (e.Cert == "") != (e.Key == "") {
		fail("spec.data.etcd", "has one of cert and key", "give both, or none")
	}
}

// resolve makes the paths absolute.
func (d *DataConfig) resolve(base string) {
	if d == nil {
		return
	}
	var paths []*string
	if d.K3s != nil {
		paths = append(paths, &d.K3s.DataDir)
	}
	if d.MicroK8s != nil {
		paths = append(paths, &d.MicroK8s.DataDir)
	}
	if e := d.Etcd; e != nil {
		paths = append(paths, &e.DataDir, &e.CA, &e.Cert, &e.Key)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
}

// openBackups returns the backups of the site's data; nil of a site that names none.
func (c *Config) openBackups(disk durable.Disk) *backup.Store {
	d := c.Spec.Data
	if d == nil {
		return nil
	}
	cfg := backup.Config{Keep: d.Keep, MaxBytes: d.MaxBytes, Environ: []string{"SALLYPORT_SITE_NAME=" + c.Metadata.Name}}
	if d.Timeout != nil {
		cfg.Timeout = time.Duration(*d.Timeout)
	}
	switch {
	case d.K3s != nil:
		cfg.K3s = &backup.K3s{DataDir: d.K3s.DataDir, Service: d.K3s.Service}
	case d.MicroK8s != nil:
		cfg.MicroK8s = &backup.MicroK8s{DataDir: d.MicroK8s.DataDir}
	case d.Etcd != nil:
		cfg.Etcd = d.Etcd.backup()
	default:
		cfg.Hooks = &backup.Hooks{Backup: d.Backup.Command, Restore: d.Restore.Command}
		if d.Version != nil {
			cfg.Hooks.Version = d.Version.Command
		}
	}
	return backup.Open(cfg, filepath.Join(c.Spec.State, "backups"), disk)
}

func (e *EtcdConfig) backup() *backup.Etcd {
	b := &backup.Etcd{Endpoint: e.Endpoint, DataDir: e.DataDir, CA: e.CA, Cert: e.Cert, Key: e.Key, Services: e.Services}
	if b.DataDir == "" {
		b.DataDir = defaultEtcdDir
	}
	if len(b.Services) == 0 {
		b.Services = []string{defaultEtcdService}
	}
	return b
}
