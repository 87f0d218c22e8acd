package life

import (
	"fmt"
	"os"
	"os/exec"

	"rollcall.dev/e2e/cluster/internal/layout"
)

// Load gives the node an image, from a file as `docker save` writes it. Nothing is pulled here: pods name it exactly
// and say imagePullPolicy: Never or IfNotPresent.
func Load(dir layout.Dir, archive string) error {
	state, found, err := dir.Recall()
	if err != nil {
		return err
	}
	if !found || !state.Node || !isRunning(dir) {
		return fmt.Errorf("%s runs no node that could take an image", dir)
	}
	command := exec.Command("ctr", "--address", dir.Containerd(), "--namespace", "k8s.io", "images", "import", archive)
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("import %s: %w", archive, err)
	}
	return nil
}
