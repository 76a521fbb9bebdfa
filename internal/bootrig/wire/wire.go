// Package wire is what a guest of the boot rig and its host say to each other over the second serial line: one JSON object a line.
package wire

// Image is what an operating system's image of the rig is, and how it behaves. It stands in the image, in ImageFile.
type Image struct {
	Version string `json:"version"`
	Mode    Mode   `json:"mode"`
	// Confirm runs sallyport confirm at each boot, as the shipped unit does.
	Confirm bool `json:"confirm"`
	// Mounts are the partitions that the image mounts, beside its root.
	Mounts []Mount `json:"mounts"`
	// Modules are files of the kernel's modules, in the order in which they are loaded.
	Modules []string `json:"modules"`
	// Watchdog is the time in seconds after which the kernel reboots a machine whose pid 1 has gone silent; 0 is none.
	Watchdog int `json:"watchdog"`
	// Deadline is the uptime in seconds at which a trial that nobody has confirmed is ended, as the shipped timer does, in
	// emergency mode, too; 0 is none.
	Deadline int `json:"deadline"`
	// Initrd says that this is what an initrd does before it starts the system on the root that the kernel's command line names.
	Initrd bool `json:"initrd"`
	// Programs are the services that are started once everything is mounted.
	Programs []Program `json:"programs,omitempty"`
}

// Program is a service. It is started again whenever it has ended.
type Program struct {
	Argv []string `json:"argv"`
	// Log is the file that what it prints is appended to.
	Log string `json:"log"`
}

// ImageFile is where an image says what it is.
const ImageFile = "/etc/rig.json"

// Mount is a partition, by its name in the GPT, and where it goes.
type Mount struct {
	Label string `json:"label"`
	Path  string `json:"path"`
	Type  string `json:"type"`
	// Wanted says that a machine without the partition ends in emergency mode.
	Wanted bool `json:"wanted"`
	// ReadOnly mounts it so.
	ReadOnly bool `json:"readOnly"`
}

// Mode is how an image behaves once its kernel runs.
type Mode string

// The modes.
const (
	Well  Mode = "well"
	Sick  Mode = "sick"  // its check fails
	Panic Mode = "panic" // the kernel panics as soon as userspace starts
	Hang  Mode = "hang"  // pid 1 stands still and feeds no watchdog
	Mute  Mode = "mute"  // it works, but nobody says so: no confirm
)

// Request is what the host asks of the guest. Exactly one field is set.
type Request struct {
	// Run starts a program, and waits for it.
	Run []string `json:"run,omitempty"`
	// Write makes a file of Text.
	Write string `json:"write,omitempty"`
	Text  string `json:"text,omitempty"`
	// Read asks for a file.
	Read string `json:"read,omitempty"`
	// Remove takes a file away.
	Remove string `json:"remove,omitempty"`
	// Remount mounts the path again: with those options of its file system, or read-only if there are none.
	Remount string `json:"remount,omitempty"`
	Options string `json:"options,omitempty"`
	// Reboot boots the machine again, in good order.
	Reboot bool `json:"reboot,omitempty"`
	// PowerOff switches the machine off, in good order.
	PowerOff bool `json:"powerOff,omitempty"`
}

// Event is what the guest says. Exactly one field is set.
type Event struct {
	Up      *Up     `json:"up,omitempty"`
	Answer  *Answer `json:"answer,omitempty"`
	Confirm *Answer `json:"confirm,omitempty"`
	// Trouble is what the guest could not do before it was up.
	Trouble string `json:"trouble,omitempty"`
}

// Up says that userspace runs.
type Up struct {
	Slot    string  `json:"slot"` // the loader's name, from the kernel's command line
	Version string  `json:"version"`
	Root    string  `json:"root"` // the partition's name of the root device
	Cmdline string  `json:"cmdline"`
	Seconds float64 `json:"seconds"` // since the kernel started
}

// Answer is what a request came to.
type Answer struct {
	Exit int    `json:"exit"`
	Out  string `json:"out"`
	Err  string `json:"err"`
}
