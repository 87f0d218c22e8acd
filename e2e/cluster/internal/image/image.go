// Package image writes a container image of a single static program, with nothing but Go's standard library.
//
// The layout is the one `docker save` writes and every container runtime imports:
// manifest.json names a configuration and its layers (moby image specification v1.2).
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"path"
	"runtime"
)

// Write makes an image of that name that runs the program with the arguments.
// The same input makes the same bytes: no time and no machine gets into it.
func Write(out io.Writer, name, program string, content []byte, arguments ...string) error {
	layer, err := archive(file{path.Base(program), 0o755, content})
	if err != nil {
		return err
	}
	configuration, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": append([]string{"/" + path.Base(program)}, arguments...)},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	if err != nil {
		return err
	}
	layerName, configurationName := digest(layer)+".tar", digest(configuration)+".json"
	manifest, err := json.Marshal([]map[string]any{{
		"Config": configurationName, "RepoTags": []string{name}, "Layers": []string{layerName},
	}})
	if err != nil {
		return err
	}
	whole, err := archive(file{layerName, 0o644, layer}, file{configurationName, 0o644, configuration}, file{"manifest.json", 0o644, manifest})
	if err != nil {
		return err
	}
	_, err = out.Write(whole)
	return err
}

type file struct {
	name    string
	mode    int64
	content []byte
}

func archive(files ...file) ([]byte, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, file := range files {
		if err := writer.WriteHeader(&tar.Header{Name: file.name, Mode: file.mode, Size: int64(len(file.content))}); err != nil {
			return nil, err
		}
		if _, err := writer.Write(file.content); err != nil {
			return nil, err
		}
	}
	err := writer.Close()
	return buffer.Bytes(), err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
