package testcluster

import "syscall"

// dieWithParent ends a server when the test process is killed, which runs no cleanup.
//
// The kernel counts the thread that started the process as its parent. Go's runtime ends a thread only when a
// goroutine that locked itself to it returns, and tests lock none.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
