//go:build linux

package vm

import (
	"context"
	"crypto/aes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/crypto/xts"
)

// makeRoot makes the root's file system, and behind it a swap area, which only
// the machine with logical volumes uses. No mounting is needed: mke2fs(8) fills
// a file system by itself.
func makeRoot(ctx context.Context, tree, dir string) error {
	root := filepath.Join(dir, plainFile)
	if err := fileSystem(ctx, root, rootFSUUID, rootSize, "-d", tree); err != nil {
		return err
	}
	swap := filepath.Join(dir, "area.img")
	defer os.Remove(swap)
	if err := makeSwap(ctx, swap, lvmSwapUUID, 8*mib); err != nil {
		return err
	}
	data, err := os.ReadFile(swap)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(root, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func fileSystem(ctx context.Context, file, uuid string, size int, more ...string) error {
	args := append([]string{"-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-U", uuid, "-E", "root_owner=0:0"}, more...)
	_, err := run(ctx, "", "mke2fs", append(args, file, strconv.Itoa(size/1024)+"k")...)
	return err
}

func makeSwap(ctx context.Context, file, uuid string, size int64) error {
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(file, size); err != nil {
		return err
	}
	_, err := run(ctx, "", "mkswap", "--uuid", uuid, file)
	return err
}

func makeStick(ctx context.Context, dir string) error {
	file := filepath.Join(dir, stickFile)
	if err := fileSystem(ctx, file, stickUUID, stickSize); err != nil {
		return err
	}
	return partition(file, 0x83)
}

// partition makes a disk with one partition, at 1 MiB, of what a file holds:
// the table of the PC, whose entries are 16 bytes from 446 on and whose
// signature is at 510.
func partition(file string, kind byte) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	disk := make([]byte, mib, mib+len(content))
	binary.LittleEndian.PutUint32(disk[440:], 0x706f7374) // the disk's id
	entry := disk[446:462]
	entry[4] = kind
	binary.LittleEndian.PutUint32(entry[8:], mib/sector)
	binary.LittleEndian.PutUint32(entry[12:], uint32(len(content)/sector))
	disk[510], disk[511] = 0x55, 0xaa
	return os.WriteFile(file, append(disk, content...), 0o600)
}

// luksOffset is where cryptsetup puts the data behind a LUKS2 header, unless
// told otherwise.
const luksOffset = 16 * mib

// encrypt makes a LUKS2 disk of the plain one without a device mapper:
// cryptsetup writes the header for a key that we chose, and the data are
// encrypted here as dm-crypt does (aes-xts-plain64: the tweak is the number of
// the sector).
func encrypt(ctx context.Context, dir string) error {
	key := make([]byte, 64)
	rand.Read(key)
	keyFile, passFile := filepath.Join(dir, "volume.key"), filepath.Join(dir, "pass.key")
	defer os.Remove(keyFile)
	defer os.Remove(passFile)
	if err := errors.Join(os.WriteFile(keyFile, key, 0o600), os.WriteFile(passFile, []byte(passphrase), 0o600)); err != nil {
		return err
	}
	plain, err := os.Open(filepath.Join(dir, plainFile))
	if err != nil {
		return err
	}
	defer plain.Close()
	info, err := plain.Stat()
	if err != nil {
		return err
	}
	disk, err := os.OpenFile(filepath.Join(dir, cryptFile), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer disk.Close()
	if err := disk.Truncate(luksOffset + info.Size()); err != nil {
		return err
	}
	// Few iterations, since machines here are slow and the secret is none.
	if _, err := run(ctx, dir, "cryptsetup", "luksFormat", "--batch-mode", "--disable-locks", "--type", "luks2",
		"--cipher", "aes-xts-plain64", "--key-size", "512", "--sector-size", strconv.Itoa(sector),
		"--volume-key-file", keyFile, "--key-file", passFile, "--uuid", luksUUID,
		"--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", disk.Name()); err != nil {
		return err
	}
	if _, err := disk.Seek(luksOffset, io.SeekStart); err != nil {
		return err
	}
	return encryptSectors(disk, plain, key)
}

func encryptSectors(to io.Writer, from io.Reader, key []byte) error {
	cipher, err := xts.NewCipher(aes.NewCipher, key)
	if err != nil {
		return err
	}
	block := make([]byte, mib)
	for number := uint64(0); ; {
		n, err := io.ReadFull(from, block)
		if err == io.EOF {
			return nil
		}
		if err != nil && err != io.ErrUnexpectedEOF || n%sector != 0 {
			return fmt.Errorf("read the plain disk: %d bytes: %w", n, err)
		}
		for part := block[:n]; len(part) > 0; part = part[sector:] {
			cipher.Encrypt(part[:sector], part[:sector], number)
			number++
		}
		if _, err := to.Write(block[:n]); err != nil {
			return err
		}
	}
}
