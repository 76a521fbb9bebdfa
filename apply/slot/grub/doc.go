// Package grub keeps the state of the slots where GRUB reads and counts it: in GRUB's environment block.
//
// The block is a file of 1024 bytes, usually /boot/grub/grubenv:
//
//	# GRUB Environment Block\n
//	NAME=VALUE\n               a backslash stands before a backslash or a newline of the value
//	# a comment\n
//	##########…                up to the end
//
// GRUB writes it through block lists: the file can neither grow nor move nor have a hole, and GRUB's drivers know no journal. So
// the block is written by one write over its 1024 bytes and a flush; it is never truncated, nor replaced by a new file. Our
// variables stand first, in a space of fixed length within the first 512 bytes, which the medium writes as a whole; the bytes
// behind that space, which hold what others keep in the block, stay where they are:
//
//	sallyport_order=B A        in which order GRUB looks at the slots
//	sallyport_A_state=good     good, trial or bad
//	sallyport_A_left=0         how many more times GRUB boots a slot on trial; GRUB writes one digit less before it does
//	sallyport_B_state=trial
//	sallyport_B_left=3
//	sallyport_mark=…           what GRUB puts on the kernel's command line as sallyport.env
//
// GRUB boots the first slot of the order that is good, or on trial with tries left. Only a boot on trial makes it write, and a
// write that fails makes it boot a good slot: see sallyport.cfg, which does this in GRUB.
//
// The dialect rauc has the variables of RAUC's own script instead: ORDER, X_OK and X_TRY. That script boots the first slot of the
// order with X_OK=1 and X_TRY=0, and sets X_TRY=1 each time, also of a good slot. So a slot is good only once somebody has set
// X_TRY back to 0 after the boot, and a trial has one try.
package grub
