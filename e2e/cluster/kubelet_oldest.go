//go:build oldest

package main

import (
	"github.com/spf13/cobra"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// The oldest Kubernetes (oldest.mod) has a kubelet that takes no context.
func newKubelet() *cobra.Command { return kubelet.NewKubeletCommand() }
