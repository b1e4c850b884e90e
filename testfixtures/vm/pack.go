//go:build linux

package vm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// pack writes a folder as an archive that the kernel unpacks into its first
// root: the format "newc" of cpio(5), everything owned by root. Compressing it
// would save a firmware with a TPM two seconds of measuring and cost every
// kernel one of unpacking.
func pack(dir, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	p := &packer{w: bufio.NewWriterSize(f, mib)}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return p.entry(path, name, d)
	})
	if err == nil {
		err = p.add("TRAILER!!!", 0, nil)
	}
	return errors.Join(err, p.w.Flush(), f.Close())
}

type packer struct {
	w      *bufio.Writer
	serial int // stands for the inode, each its own
}

func (p *packer) entry(path, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	mode := uint32(info.Mode().Perm())
	switch {
	case info.IsDir():
		return p.add(name, mode|syscall.S_IFDIR, nil)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return p.add(name, mode|syscall.S_IFLNK, []byte(target))
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return p.add(name, mode|syscall.S_IFREG, data)
	}
	return fmt.Errorf("pack %s: neither folder, link nor file", name)
}

// add writes a header of thirteen numbers of eight hex digits, the name and
// the data, each filled up to four bytes.
func (p *packer) add(name string, mode uint32, data []byte) error {
	p.serial++
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		p.serial, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	for _, part := range []string{header, string(data)} {
		if _, err := io.WriteString(p.w, part+"\x00\x00\x00"[:-len(part)&3]); err != nil {
			return err
		}
	}
	return nil
}
