package main

import (
	"fmt"
	"image"
	"image/color"
	"os"
	"path"
	"path/filepath"
	"strconv"
)

// trayIcons are the names of the tray's icons, each of which is a drawing.
var trayIcons = [...]string{"healthy", "attention", "closed", "connecting", "signed_out", "offline"}

// The sizes that are made, in pixels.
var (
	traySizes     = [...]int{16, 20, 22, 24, 32, 48, 64}
	trayICOSizes  = [...]int{16, 20, 24, 32, 48, 64}
	appSizes      = [...]int{16, 24, 32, 48, 64, 128, 256}
	appICOSizes   = [...]int{16, 24, 32, 48, 256}
	templateSizes = map[string]int{"": 16, "-2x": 32}
)

// generate makes every file from the drawings below dir/svg, by its path below
// dir.
func generate(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range trayIcons {
		d, err := load(dir, name)
		if err != nil {
			return nil, err
		}
		if err := addColoured(files, d, name, traySizes[:], trayICOSizes[:]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for suffix, size := range templateSizes {
			m, err := d.render(size, &color.RGBA{A: 0xff})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if files[path.Join("template", name+suffix+".png")], err = encode(m); err != nil {
				return nil, err
			}
		}
	}
	d, err := load(dir, "app")
	if err != nil {
		return nil, err
	}
	return files, addColoured(files, d, "app", appSizes[:], appICOSizes[:])
}

func load(dir, name string) (*drawing, error) {
	data, err := os.ReadFile(filepath.Join(dir, "svg", name+".svg"))
	if err != nil {
		return nil, err
	}
	d, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}

// addColoured makes the PNG files and the ICO of a drawing.
func addColoured(files map[string][]byte, d *drawing, name string, sizes, icoSizes []int) error {
	for _, size := range sizes {
		m, err := d.render(size, nil)
		if err != nil {
			return err
		}
		if files[path.Join("png", name+"-"+strconv.Itoa(size)+".png")], err = encode(m); err != nil {
			return err
		}
	}
	var pictures []*image.NRGBA
	for _, size := range icoSizes {
		m, err := d.render(size, nil)
		if err != nil {
			return err
		}
		pictures = append(pictures, m)
	}
	data, err := ico(pictures)
	files[path.Join("ico", name+".ico")] = data
	return err
}
