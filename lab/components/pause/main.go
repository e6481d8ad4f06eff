// The process that holds a pod's namespaces: it waits to be told to end, and reaps what its pod leaves behind.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for sign := range signals {
		if sign != syscall.SIGCHLD {
			return
		}
		reap()
	}
}

// reap collects every child that has ended; several ends can come as one signal.
func reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err == syscall.EINTR {
			continue
		} else if pid <= 0 {
			return
		}
	}
}
