// Package uboot keeps the states of the slots in the environment of U-Boot, where docs/boot/uboot/boot.cmd reads them.
//
// Where the environment lies is what /etc/fw_env.config says, the file of fw_printenv: a file, a block device or raw flash (MTD),
// and as a rule two copies of it.
//
//	CRC-32, little-endian, of the variables alone
//	flags, one byte, only where there are two copies
//	NAME=VALUE\0 … \0, then anything to the end
//
// Of two copies the newer one counts. On block devices, in files, on NAND and UBI the flags are a counter, of which 0 is newer than 255;
// on NOR flash and dataflash, where a byte can be cleared without an erasure, they are 1 of the active copy and 0 of the obsolete one.
// A change is one write of the copy that does not count, and one flush: until its last byte is there, the CRC is wrong and the
// other copy counts. An environment of which no copy is good is an error: nothing is ever written over it.
//
// The variables of ours, for slots that U-Boot knows as A and B:
//
//	BOOT_ORDER=A B        the order in which the slots are looked at
//	sallyport_A=good      good, trial or bad; a slot without it is passed over
//	BOOT_A_LEFT=3         hexadecimal: how many more times a slot on trial is booted; of a good one it is left alone
//	sallyport_mark=…      what the script puts on the kernel's command line, as sallyport.env=…
//
// BOOT_ORDER and BOOT_x_LEFT are laid out as RAUC's are, whose own script takes a try in every boot and so cannot tell a good slot from
// one on trial.
package uboot
