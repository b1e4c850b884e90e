package patch

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"
	"path"
	"strings"
)

// maxUnpacked is the most bytes that one file of metadata may unpack to. The
// largest known, Debian's whole main section, has 60 MB.
const maxUnpacked = 1 << 30

// unpack takes off the compression that the ending of a name tells of. xz, lzma
// and zstd are not read.
func unpack(name string, r io.Reader) (io.Reader, error) {
	var plain io.Reader
	switch ending := strings.ToLower(path.Ext(name)); ending {
	case ".gz":
		z, err := gzip.NewReader(bufio.NewReaderSize(r, 1<<16))
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %w", path.Base(name), err)
		}
		plain = z
	case ".bz2":
		plain = bzip2.NewReader(bufio.NewReaderSize(r, 1<<16))
	case ".lz4":
		plain = newLZ4(r)
	case ".xz", ".lzma", ".zst", ".zstd", ".zck":
		return nil, fmt.Errorf("unpack %s: compression %s is not supported", path.Base(name), ending)
	default:
		return r, nil
	}
	return &capped{r: plain, left: maxUnpacked}, nil
}

// sniffGzip takes off gzip where the content begins with its magic number.
func sniffGzip(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if magic, _ := b.Peek(2); string(magic) != "\x1f\x8b" {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return &capped{r: z, left: maxUnpacked}, nil
}

// capped is a reader that fails, rather than ends, after so many bytes: what
// is cut must not look whole.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("unpacked content is longer than %d bytes", int64(maxUnpacked))
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// eachLine gives f every line without its end. Of a line longer than the
// buffer only the beginning is given; what is not needed may be that long.
func eachLine(r io.Reader, f func(line []byte)) error {
	b := bufio.NewReaderSize(r, 1<<16)
	for {
		line, isPrefix, err := b.ReadLine()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		f(line)
		for isPrefix {
			if _, isPrefix, err = b.ReadLine(); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
}
